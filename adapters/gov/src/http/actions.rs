//! `…/{proposal}:withdraw`: what stands behind a colon is done to what stands before it, as Azure's APIs have it.
//!
//! A router knows whole segments only. So an action becomes a segment of its own before anything is looked up, in the table of
//! endpoints and in requests alike, and stands behind an empty one, which no name in a path can be: an action that there is not is not
//! taken for a name. Nobody can ask for that segment directly, because its own colon would be taken apart again.

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::response::Response;
use tower::ServiceExt;

/// A path of the table as the router has it.
pub fn routed(path: &str) -> String {
    path.rsplit_once(':').map_or_else(|| path.to_owned(), |(target, action)| segment(target, action))
}

/// The router behind this one never sees an action that is not a segment.
pub fn apart(router: Router) -> Router {
    Router::new().fallback(async move |mut request: Request| -> Response {
        if let Some(uri) = taken_apart(request.uri()) {
            *request.uri_mut() = uri;
        }
        router.oneshot(request).await.unwrap_or_else(|never| match never {})
    })
}

fn segment(target: &str, action: &str) -> String {
    format!("{target}//do:{action}")
}

fn taken_apart(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let last = path.rfind('/')?;
    // Clients that are careful with names write a colon like this.
    let place =
        ["%3A", "%3a", ":"].into_iter().filter_map(|colon| Some((path[last..].rfind(colon)?, colon.len()))).max()?;
    let (target, action) = (&path[..last + place.0], &path[last + place.0 + place.1..]);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{query}", segment(target, action)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_a_segment_of_its_own() {
        let apart = |path: &str| taken_apart(&path.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(apart("/gov/proposals:create?a=b:c").as_deref(), Some("/gov/proposals//do:create?a=b:c"));
        assert_eq!(apart("/gov/p/1%3Aack").as_deref(), Some("/gov/p/1//do:ack"));
        assert_eq!(apart("/gov/a:b:c").as_deref(), Some("/gov/a:b//do:c"));
        assert_eq!(apart("/gov/p//do:ack").as_deref(), Some("/gov/p//do//do:ack"), "which nothing serves");
        for plain in ["/gov/a:b/c", "/", "/gov/p?x=:y"] {
            assert_eq!(apart(plain), None, "{plain}");
        }
        assert_eq!(routed("/gov/{p}:withdraw"), "/gov/{p}//do:withdraw");
        assert_eq!(routed("/gov/{p}"), "/gov/{p}");
    }
}
