//! The pages in a real browser: a real run in a downstream project, its report and the page over all runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};
use stageflow_stress_tests::Project;
use stageflow_stress_tests::browser::{Browser, Page};

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    let project = Project::new("html", &[("tests/it.rs", include_str!("../fixtures/html.rs"))]);
    let manifest = fs::read_to_string(project.root().join("Cargo.toml")).unwrap();
    let with_pages = manifest.replacen("features = [\"full\"]", "features = [\"full\", \"html\"]", 1);
    assert_ne!(manifest, with_pages);
    project.write("Cargo.toml", &with_pages);
    let ran = project.test(&["--test", "it"], &[]);
    ran.red_with("a lost write goes unseen");
    project
});

fn url(path: &Path) -> String {
    format!("file://{}", path.canonicalize().unwrap().display())
}

fn pages() -> [PathBuf; 3] {
    [
        PROJECT.run_folder("DAG-005").join("report.html"),
        PROJECT.run_folder("CORE-001").join("report.html"),
        PROJECT.root().join("runs/index.html"),
    ]
}

/// Ids or texts of the items of a list that are shown, in their order.
fn shown(page: &mut Page<'_>, list: &str) -> Vec<String> {
    let expression = format!(
        "[...document.querySelectorAll('#{list} > *')].filter((item) => item.checkVisibility()).map((item) => item.id)"
    );
    serde_json::from_value(page.evaluate(&expression)).unwrap()
}

fn tick(page: &mut Page<'_>, list: &str, key: &str, value: &str) {
    let box_ = format!("[data-list={list}] input[data-key={key}][value={value:?}]");
    page.evaluate(&format!("document.querySelector({box_:?}).click()"));
}

fn write(page: &mut Page<'_>, list: &str, words: &str) {
    page.evaluate(&format!(
        "(() => {{ const field = document.querySelector('[data-list={list}] [data-key=text]'); field.value = {words:?}; \
         field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"
    ));
}

#[test]
fn a_run_writes_its_page_and_the_index() {
    let [report, plain, index] = pages().map(|path| fs::read_to_string(path).unwrap());
    for text in [
        "a lost write goes unseen",
        "every line is priced",
        "FAIL",
        "checkout",
        "clear stages",
        "not applicable to 1 log: ",
    ] {
        assert!(report.contains(text), "{text}");
    }
    assert!(!report.contains("<script>document.title"));
    assert!(
        plain.contains("1 registered test of this entry did not run") && plain.contains("needs a cluster")
    );
    assert!(
        index.contains("DAG-005") && index.contains("306</b> entries of the roadmap that never ran"),
        "{index}"
    );
    let readme = fs::read_to_string(PROJECT.run_folder("DAG-005").join("README.md")).unwrap();
    assert!(readme.contains("report.html"), "{readme}");
}

#[test]
fn nothing_is_asked_for_nothing_is_complained_of_and_every_link_leads_somewhere() {
    let Some(mut browser) = Browser::start() else { return };
    for path in pages() {
        let mut page = browser.open(&url(&path));
        let links: Vec<String> =
            serde_json::from_value(page.evaluate("[...document.links].map((link) => link.href)")).unwrap();
        let own = url(&path);
        for link in &links {
            match link.strip_prefix(&own) {
                Some(anchor) if anchor.starts_with('#') => {
                    let id: String = anchor[1..].to_owned();
                    let there =
                        page.evaluate(&format!("!!document.getElementById(decodeURIComponent({id:?}))"));
                    assert_eq!(there, true, "{link}");
                }
                _ => {
                    let file =
                        link.strip_prefix("file://").unwrap_or_else(|| panic!("{link} leaves the disk"));
                    let file = page.evaluate(&format!("decodeURIComponent({file:?})"));
                    assert!(Path::new(file.as_str().unwrap()).is_file(), "{link}");
                }
            }
        }
        assert!(links.len() > 10, "{links:?}");
        // Charts and fields have names for those who do not see them.
        let nameless = page.evaluate(
            "[...document.querySelectorAll('svg:not([aria-label]), svg[aria-label=\"\"]')].length + \
             [...document.querySelectorAll('input, select')].filter((field) => !field.labels.length).length",
        );
        assert_eq!(nameless, 0);
        assert_ne!(page.evaluate("document.title"), "taken");
        assert_eq!(page.complaints(), Vec::<String>::new());
        assert!(page.requests().is_empty(), "{:?}", page.requests());

        // The policy lets no other code run and asks nobody, even if somebody got it into the page.
        let ran = page.evaluate(
            "(() => { const script = document.createElement('script'); script.textContent = 'window.taken = true'; \
             document.body.append(script); return window.taken === true; })()",
        );
        assert_eq!(ran, false);
        assert_eq!(
            page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"),
            "refused"
        );
        assert!(page.complaints().iter().any(|complaint| complaint.contains("Content Security Policy")));
    }
}

#[test]
fn filters_search_and_order_show_what_they_say() {
    let Some(mut browser) = Browser::start() else { return };
    let findings = PROJECT.findings("DAG-005");
    let all: Vec<&Value> = findings["findings"].as_array().unwrap().iter().collect();
    let ids = |wanted: &dyn Fn(&Value) -> bool| -> Vec<String> {
        all.iter().filter(|one| wanted(one)).map(|one| format!("f-{}", one["id"].as_str().unwrap())).collect()
    };
    let kind = |one: &Value| one["x_stageflow"]["type"].as_str().unwrap().to_owned();
    let mut page = browser.open(&url(&pages()[0]));
    let list = "finding-list";
    assert_eq!(shown(&mut page, list), ids(&|_| true));

    tick(&mut page, list, "severity", "high");
    let high = ids(&|one| one["severity"] == "high");
    assert!(!high.is_empty() && high.len() < all.len());
    assert_eq!(shown(&mut page, list), high);
    // Two words of one key are either, two keys are both.
    tick(&mut page, list, "severity", "low");
    assert_eq!(shown(&mut page, list), ids(&|one| one["severity"] == "high" || one["severity"] == "low"));
    tick(&mut page, list, "type", "silent_failure");
    assert_eq!(
        shown(&mut page, list),
        ids(&|one| one["severity"] == "high" && kind(one) == "silent_failure")
    );
    assert_eq!(
        page.evaluate("document.querySelector('[data-list=finding-list] output').value"),
        format!("1 of {}", all.len())
    );

    page.evaluate("document.querySelector('[data-list=finding-list] [type=reset]').click()");
    page.evaluate("new Promise((done) => setTimeout(done, 50))");
    assert_eq!(shown(&mut page, list).len(), all.len());
    write(&mut page, list, "STAGE errors");
    assert_eq!(shown(&mut page, list), ids(&|one| kind(one) == "dx"));
    write(&mut page, list, "nobody wrote this");
    assert_eq!(shown(&mut page, list), Vec::<String>::new());
    assert_eq!(page.evaluate("document.querySelector('#findings .nothing').checkVisibility()"), true);
    write(&mut page, list, "");

    page.evaluate(
        "(() => { const order = document.querySelector('[data-list=finding-list] [data-key=order]'); order.value = 'title'; \
         order.dispatchEvent(new Event('input', { bubbles: true })); })()",
    );
    let titles: Vec<String> =
        serde_json::from_value(page.evaluate(
            "[...document.querySelectorAll('#finding-list > *')].map((item) => item.dataset.title)",
        ))
        .unwrap();
    let sorted = page.evaluate(&format!(
        "{}.sort((a, b) => a.localeCompare(b, undefined, {{ numeric: true }}))",
        json!(titles)
    ));
    assert_eq!(json!(titles), sorted);

    // A table sorts by a heading, both ways, and what was not measured stays last.
    let durations = "[...document.querySelectorAll('table.sortable tbody tr td:nth-child(7)')].map((cell) => Number(cell.dataset.v))";
    page.evaluate("document.querySelectorAll('table.sortable th button')[6].click()");
    let up = page.evaluate(durations);
    page.evaluate("document.querySelectorAll('table.sortable th button')[6].click()");
    let mut down = page.evaluate(durations).as_array().unwrap().clone();
    down.reverse();
    assert_eq!(up, Value::Array(down));

    // An address opens what it points to, also where a filter hides it.
    let target = ids(&|one| one["severity"] == "low").remove(0);
    tick(&mut page, list, "severity", "high");
    page.evaluate(&format!("location.hash = {target:?}"));
    page.evaluate("new Promise((done) => setTimeout(done, 100))");
    assert_eq!(page.evaluate(&format!("document.getElementById({target:?}).open")), true);
    assert!(shown(&mut page, list).contains(&target));
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn the_index_filters_entries_and_tells_those_that_never_ran() {
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&url(&pages()[2]));
    let list = "entry-list";
    assert_eq!(shown(&mut page, list).len(), 308);
    tick(&mut page, list, "state", "never run");
    assert_eq!(shown(&mut page, list).len(), 306);
    page.evaluate("document.querySelector('[data-list=entry-list] [type=reset]').click()");
    page.evaluate("new Promise((done) => setTimeout(done, 50))");
    tick(&mut page, list, "state", "fail");
    assert_eq!(shown(&mut page, list), ["e-DAG-005"]);
    page.evaluate("document.querySelector('[data-list=entry-list] [type=reset]').click()");
    page.evaluate("new Promise((done) => setTimeout(done, 50))");
    write(&mut page, list, "fan-out scalability");
    assert_eq!(shown(&mut page, list), ["e-DAG-005"]);
    let states: Value = serde_json::from_str(
        page.evaluate("document.getElementById('states').textContent").as_str().unwrap(),
    )
    .unwrap();
    assert_eq!(
        (&states["entries"]["DAG-005"], &states["entries"]["DAG-006"]),
        (&json!("fail"), &json!("never run"))
    );
}

#[test]
fn it_is_read_by_keyboard_in_the_dark_on_a_phone_and_on_paper() {
    let Some(mut browser) = Browser::start() else { return };
    for path in pages() {
        let mut page = browser.open(&url(&path));
        if path.ends_with("report.html") && path.to_string_lossy().contains("DAG-005") {
            page.press("j");
            page.press("j");
            let second = page.evaluate(
                "document.activeElement === document.querySelectorAll('#finding-list > * > summary')[1]",
            );
            assert_eq!(second, true);
            page.press("/");
            assert_eq!(page.evaluate("document.activeElement.type"), "search");
        }
        for scheme in ["light", "dark"] {
            let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
            page.call("Emulation.setEmulatedMedia", json!({ "features": features }));
            let faint = page.evaluate(CONTRAST);
            assert_eq!(faint, json!([]), "{scheme}: contrast below 4.5 in {}", path.display());
        }
        page.evaluate("document.querySelector('button.theme').click()");
        assert_eq!(page.evaluate("document.documentElement.classList.contains('light')"), true);

        let phone = json!({ "width": 375, "height": 700, "deviceScaleFactor": 2, "mobile": true });
        page.call("Emulation.setDeviceMetricsOverride", phone);
        let width = page.evaluate("document.documentElement.scrollWidth").as_i64().unwrap();
        assert!(width <= 375, "{width} pixels wide on a phone: {}", path.display());
        page.call("Emulation.clearDeviceMetricsOverride", json!({}));

        let pdf = page.call("Page.printToPDF", json!({ "printBackground": true }));
        assert!(pdf["data"].as_str().is_some_and(|data| data.starts_with("JVBER") && data.len() > 20_000));
        assert_eq!(page.complaints(), Vec::<String>::new());
    }
}

/// Texts whose contrast to their background is below what the guidelines for accessibility ask for.
const CONTRAST: &str = r"(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (node) => { for (; node; node = node.parentElement) { const colour = rgb(getComputedStyle(node).backgroundColor); if (colour[3] > 250) return colour; } return [255, 255, 255]; };
  const seen = new Map();
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || node.closest('script, style, .unseen, .skip') || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const key = `${node.tagName}.${node.getAttribute('class')}`;
    if (seen.has(key)) continue;
    const [a, b] = [light(rgb(node.closest('svg') ? style.fill : style.color)), light(ground(node))];
    seen.set(key, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return [...seen].filter(([, ratio]) => ratio < 4.5).map(([key, ratio]) => `${key} ${ratio.toFixed(2)}`);
})()";
