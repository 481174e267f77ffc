//! What the visitor reads.

use crate::server::Visit;

/// The whole answer to a request.
pub(crate) fn response(visit: &Visit) -> String {
    let (status, body) = match &visit.subject {
        Some(subject) => ("200 OK", welcome(subject, visit)),
        None => ("403 Forbidden", refusal(visit)),
    };
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\"><style>body {{ font: 1.2em sans-serif; margin: 3em }} \
         dt {{ color: #555; margin-top: 0.8em }} dd {{ margin: 0 }}</style></head>\n<body>\n{body}</body></html>\n",
        title = if visit.subject.is_some() { "Logged in" } else { "Not logged in" },
    );
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{page}",
        page.len()
    )
}

fn welcome(subject: &str, visit: &Visit) -> String {
    let entry = |id: &str, name: &str, value: &str| format!("<dt>{name}</dt><dd id=\"{id}\">{}</dd>\n", escape(value));
    let entries = [
        entry("subject", "Who", subject),
        entry("issuer", "Says who", visit.issuer.as_deref().unwrap_or_default()),
        entry("serial", "Certificate", visit.serial.as_deref().unwrap_or_default()),
        entry("version", "Protocol", &visit.version),
        entry("suite", "Cipher suite", &visit.suite),
        entry("scheme", "Signed with", visit.scheme.as_deref().unwrap_or_default()),
    ];
    format!("<h1>You are logged in</h1>\n<dl>\n{}</dl>\n", entries.concat())
}

fn refusal(visit: &Visit) -> String {
    format!(
        "<h1>Nobody is logged in</h1>\n<p>Your browser showed no certificate ({}). Is the card in the reader?</p>\n",
        escape(&visit.version)
    )
}

/// Text as HTML shows it: a subject is what somebody else wrote.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
        escaped
    })
}
