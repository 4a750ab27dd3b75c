/// Methods registered as safe (RFC 9110, section 9.2.1, and the HTTP Method Registry). Methods are case-sensitive.
const SAFE: [&str; 8] = ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"];

/// Is this one of the methods that change nothing? Of a method that is not registered that is unknown.
pub fn is_safe(method: &str) -> bool {
    SAFE.contains(&method)
}

/// Does this reply make what is stored for the request's own URI untrue?
///
/// "A cache MUST invalidate the target URI when it receives a non-error status code in response to an unsafe request
/// method (including methods whose safety is unknown)"; a non-error response "is one with a 2xx (Successful) or 3xx
/// (Redirection) status code" (RFC 9111, section 4.4).
pub fn invalidates(method: &str, status: u16) -> bool {
    !is_safe(method) && (200..400).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_of_an_unsafe_method_invalidates_by_rfc_9111_section_4_4() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FOO", "get", "MKCOL"] {
            for (status, expected) in [
                (199, false),
                (200, true),
                (204, true),
                (299, true),
                (303, true),
                (399, true),
                (400, false),
                (500, false),
            ] {
                assert_eq!(invalidates(method, status), expected, "{method} {status}");
            }
        }
        for method in SAFE {
            assert!(!invalidates(method, 200), "{method}");
        }
    }
}
