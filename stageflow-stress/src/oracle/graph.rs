//! Cycles in directed graphs.

use std::collections::VecDeque;

/// A shortest cycle through the edges that `follow` admits, as positions of nodes in order; none if there is none.
///
/// Only nodes that are on a cycle at all are looked at (Tarjan's components), and among those of the smallest component first.
pub(super) fn shortest_cycle<E>(
    edges: &[Vec<(usize, E)>],
    follow: impl Fn(&E) -> bool,
) -> Option<Vec<usize>> {
    let mut components = components(edges, &follow);
    components.sort_by_key(Vec::len);
    let mut best: Option<Vec<usize>> = None;
    for component in components.iter().take(100) {
        for &start in component.iter().take(1_000) {
            let bound = best.as_ref().map_or(usize::MAX, Vec::len);
            if let Some(cycle) = cycle_from(edges, start, bound, &follow) {
                best = Some(cycle);
            }
        }
    }
    best
}

/// The strongly connected components with a cycle, by an iterative form of Tarjan's algorithm.
fn components<E>(edges: &[Vec<(usize, E)>], follow: &impl Fn(&E) -> bool) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let n = edges.len();
    let (mut index, mut low, mut on_stack) = (vec![UNSEEN; n], vec![0; n], vec![false; n]);
    let (mut stack, mut next, mut found) = (Vec::new(), 0, Vec::new());
    for root in 0..n {
        if index[root] != UNSEEN {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some((node, edge)) = work.pop() {
            if edge == 0 {
                index[node] = next;
                low[node] = next;
                next += 1;
                stack.push(node);
                on_stack[node] = true;
            }
            let rest = edges[node].iter().enumerate().skip(edge).filter(|(_, (_, label))| follow(label));
            let mut descended = false;
            for (position, (to, _)) in rest {
                if index[*to] == UNSEEN {
                    work.push((node, position + 1));
                    work.push((*to, 0));
                    descended = true;
                    break;
                }
                if on_stack[*to] {
                    low[node] = low[node].min(index[*to]);
                }
            }
            if descended {
                continue;
            }
            if low[node] == index[node] {
                let mut component = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    component.push(member);
                    if member == node {
                        break;
                    }
                }
                let alone = component.len() == 1;
                let itself = || edges[node].iter().any(|(to, label)| *to == node && follow(label));
                if !alone || itself() {
                    component.sort_unstable();
                    found.push(component);
                }
            }
            if let Some((parent, _)) = work.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
        }
    }
    found
}

/// A shortest cycle through a node that is shorter than `bound`, breadth first.
fn cycle_from<E>(
    edges: &[Vec<(usize, E)>],
    start: usize,
    bound: usize,
    follow: &impl Fn(&E) -> bool,
) -> Option<Vec<usize>> {
    let mut from = vec![None; edges.len()];
    let mut queue = VecDeque::from([(start, 1)]);
    while let Some((node, length)) = queue.pop_front() {
        if length >= bound {
            return None;
        }
        for (to, label) in &edges[node] {
            if !follow(label) {
                continue;
            }
            if *to == start {
                let mut cycle = vec![node];
                let mut at = node;
                while let Some(before) = from[at] {
                    cycle.push(before);
                    at = before;
                }
                cycle.reverse();
                return Some(cycle);
            }
            if from[*to].is_none() {
                from[*to] = Some(node);
                queue.push_back((*to, length + 1));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(n: usize, edges: &[(usize, usize)]) -> Vec<Vec<(usize, ())>> {
        let mut graph = vec![Vec::new(); n];
        for (from, to) in edges {
            graph[*from].push((*to, ()));
        }
        graph
    }

    #[test]
    fn the_shortest_cycle_is_found_and_none_where_there_is_none() {
        let long = [(0, 1), (1, 2), (2, 3), (3, 0), (5, 6), (6, 5), (4, 5)];
        assert_eq!(shortest_cycle(&graph(7, &long), |()| true), Some(vec![5, 6]));
        assert_eq!(shortest_cycle(&graph(7, &long[..4]), |()| true).map(|cycle| cycle.len()), Some(4));
        assert_eq!(shortest_cycle(&graph(4, &[(0, 1), (1, 2), (0, 2), (2, 3)]), |()| true), None);
        assert_eq!(shortest_cycle(&graph(1, &[(0, 0)]), |()| true), Some(vec![0]));
        assert_eq!(shortest_cycle(&graph(2, &[(0, 1), (1, 0)]), |()| false), None);
    }

    /// Beside a plain search of all paths, over random graphs.
    #[test]
    fn the_length_is_that_of_a_search_of_everything() {
        for seed in 0..300_u64 {
            let n = 7;
            let edges: Vec<_> = (0..12)
                .map(|edge| {
                    let drawn = |k| (crate::testing::unit_of(seed * 100 + 2 * edge + k) * n as f64) as usize;
                    (drawn(0), drawn(1))
                })
                .collect();
            let graph = graph(n, &edges);
            // Shortest paths of all pairs.
            let mut distance = vec![vec![usize::MAX / 2; n]; n];
            edges.iter().for_each(|(from, to)| distance[*from][*to] = 1);
            for k in 0..n {
                for i in 0..n {
                    for j in 0..n {
                        distance[i][j] = distance[i][j].min(distance[i][k] + distance[k][j]);
                    }
                }
            }
            let shortest = (0..n).map(|i| distance[i][i]).min().filter(|length| *length < usize::MAX / 2);
            assert_eq!(shortest_cycle(&graph, |()| true).map(|cycle| cycle.len()), shortest, "{edges:?}");
        }
    }
}
