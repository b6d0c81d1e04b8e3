//! The routes. `openapi.json` describes the same list, and a test compares the two.

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use http::Method;

use crate::server::{
    api_error::ApiError, blocked, events, health, history, images, load, metrics, modules, openapi,
    state::State,
};

/// One route: its method, its path, and its handler.
struct Route {
    method: Method,
    path: &'static str,
    handler: fn(MethodFilter) -> MethodRouter<State>,
}

/// All routes.
fn routes() -> Vec<Route> {
    let route = |method, path, handler| Route { method, path, handler };
    vec![
        route(Method::GET, "/v1/modules", |method| on(method, modules::list)),
        route(Method::GET, "/v1/modules/{name}", |method| on(method, modules::status)),
        route(Method::GET, "/v1/modules/{name}/pins", |method| on(method, modules::pins)),
        route(Method::POST, "/v1/modules/{name}/rollback", |method| on(method, modules::rollback)),
        route(Method::POST, "/v1/modules/{name}/soft_purge", |method| on(method, modules::soft_purge)),
        route(Method::POST, "/v1/modules/{name}/purge", |method| on(method, modules::purge)),
        route(Method::POST, "/v1/modules/{name}/confirm", |method| on(method, modules::confirm)),
        route(Method::POST, "/v1/modules/{name}/delete", |method| on(method, modules::delete)),
        route(Method::POST, "/v1/modules/{name}/stick", |method| on(method, modules::stick)),
        route(Method::POST, "/v1/modules/{name}/unstick", |method| on(method, modules::unstick)),
        route(Method::PUT, "/v1/images", |method| on(method, images::put)),
        route(Method::POST, "/v1/load", |method| on(method, load::load)),
        route(Method::GET, "/v1/events", |method| on(method, events::events)),
        route(Method::GET, "/v1/history", |method| on(method, history::history)),
        route(Method::GET, "/v1/blocked", |method| on(method, blocked::list)),
        route(Method::POST, "/v1/blocked/{digest}/unblock", |method| on(method, blocked::unblock)),
        route(Method::GET, "/metrics", |method| on(method, metrics::metrics)),
        route(Method::GET, "/healthz", |method| on(method, health::healthz)),
        route(Method::GET, "/openapi.json", |method| on(method, openapi::openapi)),
    ]
}

/// The routes as a service.
pub(super) fn router(state: State) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, route| {
            let method = MethodFilter::try_from(route.method).expect("axum knows all these methods");
            router.route(route.path, (route.handler)(method))
        })
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state)
}

async fn no_such_path(request: Request) -> Response {
    ApiError::no_such_path(request.uri().path()).into_response()
}

async fn method_not_allowed(request: Request) -> Response {
    ApiError::method_not_allowed(request.method(), request.uri().path()).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::{OPENAPI, api};

    fn description() -> Value {
        serde_json::from_str(OPENAPI).unwrap()
    }

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let served: BTreeSet<_> = routes()
            .iter()
            .map(|route| format!("{} {}", route.method.as_str().to_lowercase(), route.path))
            .collect();
        let mut described = BTreeSet::new();
        for (path, methods) in description()["paths"].as_object().unwrap() {
            described.extend(methods.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
        }
        assert_eq!(served, described);
        assert_eq!(served.len(), routes().len());
    }

    #[test]
    fn schemas_and_types_have_the_same_fields() {
        let description = description();
        let schemas = description["components"]["schemas"].as_object().unwrap();
        let names: BTreeSet<_> = schemas.keys().map(String::as_str).collect();
        let samples = api::tests::samples();
        assert_eq!(names, samples.iter().map(|(name, _)| *name).collect());
        for (name, sample) in samples {
            let (Some(fields), Some(described)) =
                (sample.as_object(), schemas[name]["properties"].as_object())
            else {
                continue;
            };
            let fields: BTreeSet<_> = fields.keys().collect();
            let described: BTreeSet<_> = described.keys().collect();
            if schemas[name]["additionalProperties"] == true {
                assert!(fields.is_superset(&described), "{name}");
            } else {
                assert_eq!(fields, described, "{name}");
            }
        }
    }

    #[test]
    fn every_reference_in_the_description_names_a_schema() {
        let description = description();
        let schemas = description["components"]["schemas"].as_object().unwrap();
        let mut references = 0;
        for rest in OPENAPI.split("\"#/components/schemas/").skip(1) {
            let name = rest.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
            references += 1;
        }
        assert!(references > 20);
    }
}
