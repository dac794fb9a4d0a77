//! Paths with their handlers and descriptions: every path that is served is described, and vice versa.
//!
//! **Contract.** What holds for all requests is not repeated path by path: unauthenticated requests are refused with 401,
//! unauthorized ones with 403, unknown objects give 404, a body that cannot be read gives 400, 408, 413 or 415, and a worker
//! that cannot answer now gives 503 (`Operation::common`).

use std::collections::BTreeMap;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::parameter::Parameter;
use super::schemas::Schemas;

/// The state that all handlers share.
pub(super) type Herder = std::sync::Arc<crate::herder::Herder>;

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Paths that belong together.
pub(super) struct Routes {
    /// The document's name for the group.
    tag: &'static str,
    /// The parameters of the paths.
    parameters: Vec<Parameter>,
    /// Serves the paths.
    pub(super) router: Router<Herder>,
    /// Describes the paths.
    pub(super) operations: Vec<(&'static str, Method, Operation)>,
}

/// A function that generates the schema of a type.
type SchemaOf = fn(&mut Schemas) -> Schema;

/// A request's operation, as the document describes it.
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: Option<&'static str>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) responses: BTreeMap<u16, Response>,
    is_open: bool,
}

/// The body of a request.
pub(super) struct Body {
    pub(super) schema: SchemaOf,
    /// A valid example, as JSON.
    pub(super) example: &'static str,
    /// Returns whether the handler accepts the example.
    #[cfg(test)]
    pub(super) takes_example: fn(&'static str) -> bool,
}

/// A response.
pub(super) struct Response {
    pub(super) description: &'static str,
    /// Media type and schema of its body, if it has one.
    pub(super) content: Option<(&'static str, SchemaOf)>,
}

const JSON: &str = "application/json";

/// Starts the description of an operation.
pub(super) fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation {
        id,
        tag: "",
        summary,
        description: None,
        parameters: Vec::new(),
        body: None,
        responses: BTreeMap::new(),
        is_open: false,
    }
}

impl Operation {
    /// Adds a longer description.
    pub(super) fn describe(self, description: &'static str) -> Self {
        Self { description: Some(description), ..self }
    }

    /// Adds a parameter of the query, or describes one of the path further.
    pub(super) fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Adds a JSON body with an example.
    pub(super) fn takes<T: JsonSchema + DeserializeOwned>(self, example: &'static str) -> Self {
        let body = Body {
            schema: Schemas::request::<T>,
            example,
            #[cfg(test)]
            takes_example: |example| serde_json::from_str::<T>(example).is_ok(),
        };
        Self { body: Some(body), ..self }
    }

    /// Adds a JSON response.
    pub(super) fn returns<T: JsonSchema + Serialize>(self, status: u16, description: &'static str) -> Self {
        self.response(status, description, Some((JSON, Schemas::response::<T>)))
    }

    /// Adds a text response of a media type.
    pub(super) fn returns_text(self, status: u16, description: &'static str, media_type: &'static str) -> Self {
        self.response(status, description, Some((media_type, Schemas::response::<String>)))
    }

    /// Adds a response without a body.
    pub(super) fn done(self, status: u16, description: &'static str) -> Self {
        self.response(status, description, None)
    }

    /// Adds an error response.
    pub(super) fn fails(self, status: u16, description: &'static str) -> Self {
        self.response(status, description, Some((JSON, Schemas::response::<super::api::Error>)))
    }

    /// Adds the response to a wrong request, for requests without a body.
    pub(super) fn may_be_wrong(self) -> Self {
        self.fails(400, "The request or the settings are wrong; the message says what and where.")
    }

    /// Opens the operation to everybody, under any host name.
    pub(super) fn open(self) -> Self {
        Self { is_open: true, ..self }
    }

    fn response(mut self, status: u16, description: &'static str, content: Option<(&'static str, SchemaOf)>) -> Self {
        self.responses.entry(status).or_insert(Response { description, content });
        self
    }

    /// Adds the responses that follow from the kind of request, unless they are already described.
    fn common(mut self, path: &'static str, method: Method) -> Self {
        if self.is_open {
            return self;
        }
        if self.body.is_some() {
            self = self
                .may_be_wrong()
                .fails(408, "The body did not arrive in time.")
                .fails(413, "The body is larger than 4 MiB.")
                .fails(415, "The body is not JSON.");
        }
        if path.contains('{') {
            self = self.fails(404, "The resource does not exist.");
        }
        let refused = match method {
            Method::Get => "The worker is not known by the requested host.",
            _ => {
                "This user may read but not change, a page of another origin sent the request, or the worker is not known by the \
                 requested host."
            }
        };
        self.fails(401, "A password, a token or a certificate is required.").fails(403, refused).fails(
            503,
            "The worker is starting, Kafka cannot be reached, or too many requests of this kind are waiting: retry later.",
        )
    }
}

impl Routes {
    /// Starts a list of paths.
    pub(super) fn new(tag: &'static str) -> Self {
        Self { tag, parameters: Vec::new(), router: Router::new(), operations: Vec::new() }
    }

    /// Describes a parameter of those paths that have it.
    pub(super) fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Serves GET.
    pub(super) fn get<H: Handler<T, Herder>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.on(Method::Get, path, handler, operation)
    }

    /// Serves POST.
    pub(super) fn post<H: Handler<T, Herder>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.on(Method::Post, path, handler, operation)
    }

    /// Serves PUT.
    pub(super) fn put<H: Handler<T, Herder>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.on(Method::Put, path, handler, operation)
    }

    /// Serves PATCH.
    pub(super) fn patch<H: Handler<T, Herder>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.on(Method::Patch, path, handler, operation)
    }

    /// Serves DELETE.
    pub(super) fn delete<H: Handler<T, Herder>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        self.on(Method::Delete, path, handler, operation)
    }

    fn on<H: Handler<T, Herder>, T: 'static>(
        mut self,
        method: Method,
        path: &'static str,
        handler: H,
        operation: Operation,
    ) -> Self {
        let filter = match method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Patch => MethodFilter::PATCH,
            Method::Delete => MethodFilter::DELETE,
        };
        let mut operation = Operation { tag: self.tag, ..operation.common(path, method) };
        let is_own = |known: &&Parameter| {
            let described = operation.parameters.iter().any(|own| own.name == known.name);
            !described && path.contains(&format!("{{{}}}", known.name))
        };
        let mut parameters: Vec<Parameter> = self.parameters.iter().filter(is_own).cloned().collect();
        parameters.append(&mut operation.parameters);
        operation.parameters = parameters;
        self.router = self.router.route(path, on(filter, handler));
        self.operations.push((path, method, operation));
        self
    }
}
