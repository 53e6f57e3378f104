use super::*;

/// Text, and the kind that is to be found in it.
const SECRETS: &[(&str, &str, &str)] = &[
    ("charge with sk_live_51HxYzAbCdEf failed", "sk_live_51HxYzAbCdEf", "stripe_key"),
    ("key=sk-proj-4f9aZ81kQwErTyUiOp12", "sk-proj-4f9aZ81kQwErTyUiOp12", "openai_key"),
    ("sk-ant-api03-AbCdEf0123456789xyz", "sk-ant-api03-AbCdEf0123456789xyz", "anthropic_key"),
    ("id AKIAIOSFODNN7EXAMPLE.", "AKIAIOSFODNN7EXAMPLE", "aws_key"),
    (
        "(ghp_16C7e42F292c6912E7710c838347Ae178B4a)",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_token",
    ),
    ("github_pat_11ABCDEFG0aBcDeFgHiJkL_x", "github_pat_11ABCDEFG0aBcDeFgHiJkL_x", "github_token"),
    ("gsk_9aBcDeFgHiJkLmNoPqRsTuV", "gsk_9aBcDeFgHiJkLmNoPqRsTuV", "groq_key"),
    ("xoxb-123456789012-abcdefABCDEF", "xoxb-123456789012-abcdefABCDEF", "slack_token"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstu", "AIzaSyA1234567890abcdefghijklmnopqrstu", "google_key"),
    (
        "pem -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- end",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "private_key",
    ),
    ("-----BEGIN PRIVATE KEY-----\nMIIE", "-----BEGIN PRIVATE KEY-----\nMIIE", "private_key"),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt"),
    ("sent Bearer a1b2c3d4e5", "a1b2c3d4e5", "bearer"),
    ("Authorization: Basic dXNlcjpwYXNz", "Basic dXNlcjpwYXNz", "password"),
    ("login password=hunter2 ok", "hunter2", "password"),
    (r#"{"api_key": "abcd efgh"}"#, "abcd efgh", "password"),
    ("postgres://app:s3cret@db/main", "s3cret", "password"),
    ("card 4111 1111 1111 1111 declined", "4111 1111 1111 1111", "card"),
    ("card=5500005555555559", "5500005555555559", "card"),
    ("3782-822463-10005", "3782-822463-10005", "card"),
    ("4912 3456 7890 1234 566", "4912 3456 7890 1234 566", "card"),
    ("mail to jane.doe+x@mail.example.com.", "jane.doe+x@mail.example.com", "email"),
    ("call +49 30 1234567 now", "+49 30 1234567", "phone"),
    ("call (212) 555-0188", "(212) 555-0188", "phone"),
    ("call 212-555-0188", "212-555-0188", "phone"),
    ("+14155550123", "+14155550123", "phone"),
    ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY9", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY9", "entropy"),
    ("ünï jane@exämple.org jane@example.org", "jane@example.org", "email"),
];

/// What looks like something and is nothing.
const PLAIN: &[&str] = &[
    "",
    "merged 3 outputs",
    "run-2026-01-14-001",
    "2026-01-14T09:00:00.000123Z",
    "0198c0de-7f3a-7c11-9b1e-0123456789ab",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "1768381200000123 1768381200000123456 18446744073709551615",
    // 64-bit numbers that would pass for long cards: a seed must stay, or its finding has two fingerprints.
    "seed 4912345678901234566; id 621234567890123457",
    "4111111111111112",
    "4111111111111111x",
    "10.0.0.1:8080 and 127.0.0.1",
    "my_pipeline::stages::enrichment::merge_outputs_of_every_branch_in_order",
    "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/Tokio-1.40/src/runtime/Scheduler.rs",
    "tokens=4096 max_token=12 token=7 password=None secret: missing",
    "the bearer of bad news; Bearer authentication failed",
    "unexpected token: expected a comma",
    "sk-learn-is-a-library-of-python",
    "user@host and @decorator and a @ b",
    "+12345 -9 +0.000123456 3.14159265358979",
    "phone 030-12 1-800 555-0188",
    "a=b key=value primary_key=users",
    "task_sk_live_ AKIA ghp_",
    "fan_out::dag_005_every_output_is_there_and_none_is_there_twice",
    "rustc 1.89.0 (29483883e 2025-08-04)",
];

#[test]
fn each_shape_is_replaced_and_what_is_around_it_stays() {
    for (input, secret, kind) in SECRETS {
        let clean = text(input).unwrap_or_else(|| panic!("nothing found in {input:?}"));
        assert!(!clean.contains(secret), "{input:?} became {clean:?}");
        let (before, after) = input.split_once(secret).unwrap();
        let marker = clean.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let marker = marker.unwrap_or_else(|| panic!("{input:?} became {clean:?}"));
        assert_eq!(marker_of(marker), Some(marker), "{input:?} became {clean:?}");
        assert!(marker.starts_with(&format!("{{{{REDACTED:{kind}:")), "{input:?} became {clean:?}");
        assert_eq!(text(&clean), None, "{clean:?} is clean");
    }
}

#[test]
fn what_is_nothing_stays_as_it_is() {
    for plain in PLAIN {
        assert_eq!(text(plain), None, "{plain:?}");
    }
}

#[test]
fn the_same_secret_has_the_same_hash_and_another_one_has_another() {
    let of = |input: &str| text(input).unwrap();
    assert_eq!(of("a@b.org"), of("a@b.org"));
    assert_ne!(of("a@b.org"), of("a@c.org"));
    assert_eq!(of("4111-1111-1111-1111"), of("4111111111111111"));
}

#[test]
fn names_of_fields_count() {
    assert_eq!(name_rule("password"), NameRule::Secret);
    assert_eq!(name_rule("http.request.header.authorization"), NameRule::Secret);
    assert_eq!(name_rule("tokens"), NameRule::Plain);
    let clean = value(NameRule::Secret, "hunter2").unwrap();
    assert!(clean.starts_with("{{REDACTED:field:"));
    assert_eq!(value(NameRule::Secret, &clean), None);
    assert_eq!(value(NameRule::Secret, "None"), None);
    assert_eq!(value(NameRule::Allowed, "jane@example.org"), None);
}

#[test]
fn redacting_twice_is_redacting_once_whatever_the_text() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    const GLUE: &[&str] = &[
        "",
        "",
        " ",
        "-",
        ".",
        "@",
        "+",
        "=",
        ":",
        "\"",
        "{{",
        "}}",
        "é",
        "1",
        "4111",
        "password=",
        "\n",
        "://",
        "a",
    ];
    let marker = text("a@b.org").unwrap();
    let mut changed = 0;
    for _ in 0..6_000 {
        let mut input = String::new();
        for _ in 0..next(7) {
            input.push_str(GLUE[next(GLUE.len())]);
            match next(4) {
                0 => input.push_str(&marker[..next(marker.len() + 1)]),
                1 => input.push_str(SECRETS[next(SECRETS.len())].0),
                2 => input.push_str(PLAIN[next(PLAIN.len())]),
                _ => input.push_str(GLUE[next(GLUE.len())]),
            }
        }
        if let Some(clean) = text(&input) {
            changed += 1;
            assert_eq!(text(&clean), None, "{input:?} became {clean:?}");
        }
    }
    assert!(changed > 1_500, "{changed} texts held something");
}

#[test]
fn the_quick_look_misses_nothing_that_the_slow_one_finds() {
    for (input, ..) in SECRETS {
        assert!(shapes::suspicious(input.as_bytes()), "{input:?}");
    }
    assert!(!shapes::suspicious(b"merged 3 outputs of stage sum"));
}

#[test]
fn texts_within_json_are_redacted_and_it_stays_json() {
    let input = r#"{"a":"x \"4111111111111111\"","n":4111111111111111,"password":"hunter2","e":["a@b.org\n"],"t":"plain"}"#;
    let clean = json(input).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&clean).unwrap();
    assert!(parsed["a"].as_str().unwrap().starts_with("x \"{{REDACTED:card:"));
    assert_eq!(parsed["n"], 4_111_111_111_111_111_u64);
    assert!(parsed["password"].as_str().unwrap().starts_with("{{REDACTED:field:"));
    assert!(parsed["e"][0].as_str().unwrap().ends_with("}}\n"));
    assert_eq!(parsed["t"], "plain");
    assert_eq!(json(&clean), None);
    assert_eq!(json(r#"{"a":"plain"}"#), None);
}

#[test]
fn the_projects_own_rules_add_and_take_away() {
    let table: super::rules::Table = toml::from_str(
        "off = [\"phone\"]\nfields = [\"ssn\"]\nallow = [\".*@example\\\\.org\"]\n\
         [[rule]]\nkind = \"employee\"\npattern = \"EMP-[0-9]{4}\"\n",
    )
    .unwrap();
    let rules = table.rules().unwrap();
    assert_eq!(once("(212) 555-0188 jane@example.org", &rules), None);
    let clean = once("EMP-1234 and joe@example.net", &rules).unwrap();
    assert!(clean.starts_with("{{REDACTED:employee:") && clean.contains("{{REDACTED:email:"), "{clean}");
    assert_eq!(once(&clean, &rules), None);
    let error =
        |text: &str| toml::from_str::<super::rules::Table>(text).unwrap().rules().unwrap_err().to_string();
    assert!(error("off = [\"phones\"]").contains("no kind `phones`"));
    assert!(error("[[rule]]\nkind = \"a\"\npattern = \"(\"").contains("`(`"));
    assert!(error("[[rule]]\nkind = \"A B\"\npattern = \"x\"").contains("`A B`"));
}
