// SPDX-License-Identifier: MIT
//! What is answered: a policy as authentik's serializer renders it, or a refusal.
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio_postgres::Row;
use uuid::Uuid;

#[derive(serde::Serialize)]
struct Policy<'a> {
    pk: Uuid,
    name: &'a str,
    execution_logging: bool,
    component: &'static str,
    verbose_name: &'static str,
    verbose_name_plural: &'static str,
    meta_model_name: &'static str,
    bound_to: i64,
    action: Option<&'a str>,
    client_ip: Option<&'a str>,
    app: Option<&'a str>,
    model: Option<&'a str>,
    query: Option<&'a str>,
}

fn respond(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The policy whose columns, name to query, begin at that place of the row.
pub fn policy(pk: Uuid, row: &Row, at: usize) -> Response {
    let policy = Policy {
        pk,
        name: row.get(at),
        execution_logging: row.get(at + 1),
        component: "ak-policy-event-matcher-form",
        verbose_name: "Event Matcher Policy",
        verbose_name_plural: "Event Matcher Policies",
        meta_model_name: "authentik_policies_event_matcher.eventmatcherpolicy",
        bound_to: row.get(at + 2),
        action: row.get(at + 3),
        client_ip: row.get(at + 4),
        app: row.get(at + 5),
        model: row.get(at + 6),
        query: row.get(at + 7),
    };
    let mut body = Vec::with_capacity(512);
    serde_json::to_writer(&mut body, &policy).unwrap();
    respond(StatusCode::OK, body)
}

fn refuse(status: StatusCode, detail: &str) -> Response {
    respond(status, format!("{{\"detail\":\"{detail}\"}}").into_bytes())
}

pub fn forbidden() -> Response {
    refuse(StatusCode::FORBIDDEN, "Token invalid/expired")
}

pub fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "Not found.")
}

pub fn bad_id() -> Response {
    refuse(StatusCode::BAD_REQUEST, "Enter a valid UUID.")
}
