// SPDX-License-Identifier: MIT
//! The benchmark's opponent: axum on hyper and tokio with tokio-postgres, prepared statements and generic plans. It knows the
//! rules of authentik's newest layout for API keys, and no access tokens. From the environment: PEER_SOCKET, where it
//! listens; PEER_DATABASE, a connection string; PEER_MODE, scalar or batch; PEER_THREADS, each with a session of its own.
mod answer;
mod batch;
mod scalar;
mod session;

use axum::extract::{Path, State};
use axum::http::{header, HeaderMap};
use axum::response::Response;
use axum::routing::get;
use axum::Router;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use std::{env, os::unix::net::UnixListener, sync::Arc};
use uuid::Uuid;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

enum Service {
    Scalar(scalar::Scalar),
    Batch(batch::Batch),
}

async fn retrieve(State(service): State<Arc<Service>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    match (Uuid::try_parse(&id), key) {
        (Ok(policy), Some(key)) => match &*service {
            Service::Scalar(scalar) => scalar.ask(key, policy).await,
            Service::Batch(batch) => batch.ask(key, policy).await,
        },
        (Err(_), _) => answer::bad_id(),
        (_, None) => answer::forbidden(),
    }
}

async fn serve(listener: UnixListener) {
    let session = session::open(&variable("PEER_DATABASE")).await;
    let service = Arc::new(match variable("PEER_MODE").as_str() {
        "scalar" => Service::Scalar(scalar::Scalar::new(session).await),
        "batch" => Service::Batch(batch::Batch::new(session).await),
        other => panic!("PEER_MODE={other}"),
    });
    let router = Router::new().route("/api/v3/policies/event_matcher/{id}/", get(retrieve)).with_state(service);
    let (router, http) = (TowerToHyperService::new(router), hyper::server::conn::http1::Builder::new());
    let listener = tokio::net::UnixListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(http.serve_connection(TokioIo::new(stream), router.clone()));
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn main() {
    let listener = UnixListener::bind(variable("PEER_SOCKET")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let threads: Vec<_> = (0..variable("PEER_THREADS").parse().unwrap())
        .map(|_| {
            let listener = listener.try_clone().unwrap();
            std::thread::spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve(listener)))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
