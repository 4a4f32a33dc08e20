//! Results as JUnit XML, the form that CI systems read.

use std::fmt::Write as _;

use super::tester::{CaseResult, SuiteResult};

/// The whole report. `unread` are the errors of suites that could not be read at all, `shortfall` is
/// what is said where the coverage is not enough.
#[must_use]
pub fn junit(results: &[SuiteResult], unread: &[String], shortfall: Option<&str>) -> String {
    let mut suites: Vec<(String, usize, usize, usize, String)> = results.iter().map(suite).collect();
    suites.extend(unread.iter().map(|error| {
        let mut case = String::new();
        error_xml("suites", error, &mut case);
        ("suites".to_owned(), 1, 0, 1, case)
    }));
    suites.extend(shortfall.map(|why| {
        let case = format!(
            "    <testcase classname=\"coverage\" name=\"coverage is enough\">\n      <failure message=\"{0}\">{0}</failure>\n    </testcase>\n",
            escaped(why)
        );
        ("coverage".to_owned(), 1, 1, 0, case)
    }));
    let sum = |of: fn(&(String, usize, usize, usize, String)) -> usize| suites.iter().map(of).sum::<usize>();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuites name=\"keystile test\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
        sum(|suite| suite.1),
        sum(|suite| suite.2),
        sum(|suite| suite.3)
    );
    for (name, tests, failures, errors, cases) in &suites {
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\">",
            escaped(name)
        );
        xml.push_str(cases);
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Name, tests, failures, errors and the XML of the cases.
fn suite(result: &SuiteResult) -> (String, usize, usize, usize, String) {
    let mut xml = String::new();
    for case in &result.cases {
        case_xml(&result.file, case, &mut xml);
    }
    for fault in &result.faults {
        error_xml(&result.file, &fault.to_string(), &mut xml);
    }
    let failures = result.cases.iter().filter(|case| !case.passed()).count();
    let errors = result.faults.len();
    (result.file.to_string(), result.cases.len() + errors, failures, errors, xml)
}

fn error_xml(class: &str, error: &str, xml: &mut String) {
    let text = escaped(error);
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{text}\">\n      <error message=\"{text}\">{text}</error>\n    </testcase>\n",
        escaped(class)
    );
}

fn case_xml(file: &str, case: &CaseResult, xml: &mut String) {
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\"",
        escaped(file),
        escaped(&case.name),
        escaped(file),
        case.line
    );
    if case.passed() {
        xml.push_str("/>\n");
        return;
    }
    xml.push_str(">\n");
    let failing: Vec<_> = case.checks.iter().filter_map(|check| Some((check, check.problem.as_ref()?))).collect();
    let message = failing.first().map_or_else(String::new, |(check, problem)| format!("{}: {problem}", check.action));
    let mut text = String::new();
    for (check, problem) in failing {
        let _ = write!(text, "{}: {problem}\n{}", check.action, check.explanation);
    }
    let _ =
        write!(xml, "      <failure message=\"{}\">{}</failure>\n    </testcase>\n", escaped(&message), escaped(&text));
}

/// Text that can stand in an element and in an attribute. Characters that XML has not are left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(character),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn text_is_escaped_for_xml() {
        assert_eq!(escaped("a<b>&\"c\"\u{1b}[31m\n"), "a&lt;b&gt;&amp;&quot;c&quot;[31m\n");
    }
}
