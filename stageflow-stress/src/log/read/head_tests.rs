use super::*;

fn parts(line: &str) -> (Format, &str, &str, &str, &str, &str) {
    let head = head(line).unwrap_or_else(|| panic!("no head: {line}"));
    (head.format, head.level.map_or("-", Level::as_str), head.thread, head.span, head.target, head.message)
}

#[test]
fn heads_of_the_loggers_in_use_are_read() {
    for (line, expected) in [
        (
            "2026-01-14T09:00:00.000123Z  INFO my_app::merge: merged n=3",
            (Format::Tracing, "INFO", "", "", "my_app::merge", "merged n=3"),
        ),
        (
            "2026-01-14T09:00:00.000123Z ERROR run{id=7}:stage{name=\"a b\"}: my_app: it broke",
            (Format::Tracing, "ERROR", "", "run{id=7}:stage{name=\"a b\"}", "my_app", "it broke"),
        ),
        (
            "[2026-01-14T09:00:00Z WARN  my_app::net] slow: 3 s",
            (Format::EnvLogger, "WARNING", "", "", "my_app::net", "slow: 3 s"),
        ),
        (
            "2026-01-14 09:00:00,123 - app.db - ERROR - cannot connect: refused",
            (Format::Python, "ERROR", "", "", "app.db", "cannot connect: refused"),
        ),
        (
            "22:36:09 [INFO] pipeline_dag: Running stage: load",
            (Format::Python, "INFO", "", "", "pipeline_dag", "Running stage: load"),
        ),
        ("WARNING:root:careful", (Format::Python, "WARNING", "", "", "root", "careful")),
        ("error: could not compile", (Format::Text, "ERROR", "", "", "", "could not compile")),
        (
            "Oct 11 22:14:15 mymachine su[42]: 'su root' failed for lonvick",
            (Format::Syslog, "-", "mymachine", "", "su", "'su root' failed for lonvick"),
        ),
        (
            "<34>1 2003-10-11T22:14:15.003Z host.example su 12 ID47 - failed",
            (Format::Syslog, "-", "host.example", "", "su", "failed"),
        ),
        (
            "03-17 16:13:38.811  1702  2395 D WindowManager: printing",
            (Format::Logcat, "DEBUG", "", "", "WindowManager", "printing"),
        ),
        (
            "[Sun Dec 04 04:47:44 2005] [error] mod_jk child in error state 6",
            (Format::Text, "ERROR", "", "", "", "mod_jk child in error state 6"),
        ),
        (
            "2015-10-18 18:01:47,978 INFO [main] org.apache.App: Created it",
            (Format::Python, "INFO", "main", "", "org.apache.App", "Created it"),
        ),
        (
            "081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 ends",
            (Format::Text, "INFO", "", "", "dfs.DataNode$PacketResponder", "PacketResponder 1 ends"),
        ),
        (
            "20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579",
            (Format::Text, "-", "", "", "Step_LSC", "onStandStepChanged 3579"),
        ),
        ("I0317 16:13:38.811 1234 file.cc:12] done", (Format::Text, "INFO", "", "", "file.cc:12", "done")),
        (
            "nova.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO nova.server [req-1 - -] GET",
            (Format::Text, "INFO", "", "", "nova.server", "[req-1 - -] GET"),
        ),
        (
            "- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS KERNEL INFO parity error corrected",
            (Format::Text, "INFO", "", "", "", "parity error corrected"),
        ),
    ] {
        assert_eq!(parts(line), expected, "{line}");
    }
}

#[test]
fn sentences_are_no_heads() {
    for line in [
        "INFO this is a sentence",
        "Error handling was improved: nothing to see",
        "    at com.example.Main.run(Main.java:3)",
        "Traceback (most recent call last):",
        "  File \"a.py\", line 3, in f",
        "ValueError: 3",
        "10.251.73.220:50010 is added",
        "-",
        "<html>",
        "[",
        "",
    ] {
        assert_eq!(head(line), None, "{line}");
    }
}
