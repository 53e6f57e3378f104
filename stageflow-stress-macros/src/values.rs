//! Durations, sizes and seeds as attributes write them.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprRange, Lit, LitInt, LitStr, RangeLimits, Token};

/// More cases than this make a list of tests that nobody reads; `iterations` repeats within one test.
const MOST_SEEDS: u64 = 1024;

/// Parses `30s`, `250ms`, `1h30m`: whole numbers, each with a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let problem = || format!("expected a duration such as `30s`, `250ms` or `1h30m`, found `{text}`");
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(problem());
    }
    while !rest.is_empty() {
        let (number, unit, tail) = number_and_unit(rest).ok_or_else(problem)?;
        let one = match unit {
            "us" => Duration::from_micros(1),
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" | "min" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(problem()),
        };
        let part = u32::try_from(number).ok().and_then(|number| one.checked_mul(number));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| format!("the duration `{text}` is too long"))?;
        rest = tail.trim_start();
    }
    if total.is_zero() {
        return Err(format!("expected a duration longer than zero, found `{text}`"));
    }
    Ok(total)
}

/// Parses `512MB` or `2MiB` into bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let problem = || format!("expected a size such as `512MB` or `2MiB`, found `{text}`");
    let (number, unit, "") = number_and_unit(text.trim()).ok_or_else(problem)? else {
        return Err(problem());
    };
    let one: u64 = match unit {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(problem()),
    };
    match number.checked_mul(one) {
        Some(0) => Err(format!("expected a size greater than zero, found `{text}`")),
        Some(bytes) => Ok(bytes),
        None => Err(format!("the size `{text}` is too large")),
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number = text[..digits].parse().ok()?;
    let rest = text[digits..].trim_start();
    let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
    (letters > 0).then(|| (number, &rest[..letters], &rest[letters..]))
}

/// The tokens of a constant duration.
pub(crate) fn duration_tokens(duration: Duration) -> TokenStream {
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#secs, #nanos))
}

/// Parses a text literal that says something.
pub(crate) fn text(tokens: &TokenStream) -> syn::Result<LitStr> {
    let Ok(text) = syn::parse2::<LitStr>(tokens.clone()) else {
        return Err(syn::Error::new_spanned(tokens, "expected a text in double quotes"));
    };
    if text.value().trim().is_empty() {
        return Err(syn::Error::new_spanned(tokens, "expected a text, found an empty one"));
    }
    Ok(text)
}

/// Parses a whole number greater than zero.
pub(crate) fn positive<N>(tokens: &TokenStream) -> syn::Result<N>
where
    N: std::str::FromStr<Err: std::fmt::Display> + Default + PartialEq,
{
    let problem = || syn::Error::new_spanned(tokens, "expected a whole number greater than zero");
    let number = syn::parse2::<LitInt>(tokens.clone()).map_err(|_| problem())?;
    let number: N = number
        .base10_parse()
        .map_err(|error| syn::Error::new_spanned(tokens, format!("this number does not fit: {error}")))?;
    if number == N::default() { Err(problem()) } else { Ok(number) }
}

/// Parses `[1, 2, 3]`, `1..=8` or `1..9`.
pub(crate) fn seeds(tokens: &TokenStream) -> syn::Result<Vec<u64>> {
    let problem = |message: &str| syn::Error::new_spanned(tokens, message);
    let shape = || problem("expected seeds such as `[1, 2, 3]` or `1..=8`");
    let seeds = match syn::parse2::<Expr>(tokens.clone()).map_err(|_| shape())? {
        Expr::Array(array) => array.elems.iter().map(seed).collect::<syn::Result<Vec<_>>>()?,
        Expr::Range(ExprRange { start: Some(start), end: Some(end), limits, .. }) => {
            let (start, end) = (seed(&start)?, seed(&end)?);
            let end = match limits {
                RangeLimits::HalfOpen(_) => end.checked_sub(1),
                RangeLimits::Closed(_) => Some(end),
            };
            let end =
                end.filter(|end| *end >= start).ok_or_else(|| problem("this range of seeds is empty"))?;
            if end - start >= MOST_SEEDS {
                return Err(problem(&format!(
                    "expected at most {MOST_SEEDS} seeds; use `iterations` to repeat"
                )));
            }
            (start..=end).collect()
        }
        _ => return Err(shape()),
    };
    if seeds.is_empty() {
        return Err(problem("expected at least one seed"));
    }
    if seeds.len() as u64 > MOST_SEEDS {
        return Err(problem(&format!("expected at most {MOST_SEEDS} seeds; use `iterations` to repeat")));
    }
    let mut sorted = seeds.clone();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(problem(&format!("the seed {} is given twice", twice[0])));
    }
    Ok(seeds)
}

fn seed(expr: &Expr) -> syn::Result<u64> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number
                .base10_parse()
                .map_err(|error| syn::Error::new_spanned(expr, format!("this seed does not fit: {error}"))),
            _ => Err(syn::Error::new_spanned(expr, "a seed is a whole number")),
        },
        _ => Err(syn::Error::new_spanned(expr, "a seed is a whole number, written out")),
    }
}

/// Splits at the commas between arguments, so that one broken argument does not hide the next.
pub(crate) fn split(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match &token {
            proc_macro2::TokenTree::Punct(punct) if punct.as_char() == ',' => parts.push(TokenStream::new()),
            _ => parts.last_mut().into_iter().for_each(|part| part.extend([token.clone()])),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The elements of `[a, b]`, or the single value itself.
pub(crate) fn one_or_array(tokens: TokenStream) -> Vec<TokenStream> {
    struct Elements(Punctuated<Expr, Token![,]>);
    impl syn::parse::Parse for Elements {
        fn parse(input: syn::parse::ParseStream) -> syn::Result<Self> {
            let content;
            syn::bracketed!(content in input);
            Ok(Elements(Punctuated::parse_terminated(&content)?))
        }
    }
    match syn::parse2::<Elements>(tokens.clone()) {
        Ok(Elements(elements)) => elements.iter().map(|element| quote!(#element)).collect(),
        Err(_) => vec![tokens],
    }
}

/// `D8: visited node because every node is one line`: a detector of the log analysis, a part of what it sees, and why that is
/// right. Without a text, all that the detector sees is meant.
pub(crate) fn waiver(text: &LitStr) -> syn::Result<(u8, String, String)> {
    let value = text.value();
    let problem = |what: &str| {
        let how = "write the detector, what it sees, and why that is right: `\"D8: visited node because each node is one line\"`";
        syn::Error::new_spanned(text, format!("{what}; {how}"))
    };
    let (what, why) = value.split_once(" because ").ok_or_else(|| problem("a waiver needs a reason"))?;
    if why.trim().is_empty() {
        return Err(problem("a waiver needs a reason"));
    }
    let (detector, part) = what.split_once(':').unwrap_or((what, ""));
    let number = detector.trim().strip_prefix('D').and_then(|number| number.parse::<u8>().ok());
    let Some(number) = number.filter(|number| (1..=24).contains(number)) else {
        return Err(problem(&format!("expected a detector from D1 to D24, found `{}`", detector.trim())));
    };
    Ok((number, part.trim().to_owned(), why.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("1s 500ms"), Ok(Duration::from_millis(1500)));
        for wrong in ["", "30", "s", "1.5s", "-1s", "3 weeks", "0s", "99999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("512MB"), Ok(512_000_000));
        assert_eq!(bytes("2 MiB"), Ok(2 << 20));
        for wrong in ["", "12", "MB", "1.5MB", "1MB2", "0MB", "99999999999GB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seeds_are_listed_or_ranged() {
        assert_eq!(seeds(&quote!([3, 1])).unwrap(), [3, 1]);
        assert_eq!(seeds(&quote!(1..=3)).unwrap(), [1, 2, 3]);
        assert_eq!(seeds(&quote!(1..3)).unwrap(), [1, 2]);
        assert_eq!(seeds(&quote!([18446744073709551615])).unwrap(), [u64::MAX]);
        for wrong in [
            quote!([]),
            quote!(3..1),
            quote!(0..0),
            quote!([1, 1]),
            quote!(0..=u64),
            quote!(7),
            quote!(0..9999999),
            quote!([-1]),
            quote!([18446744073709551616]),
        ] {
            assert!(seeds(&wrong).is_err(), "{wrong}");
        }
    }
}
