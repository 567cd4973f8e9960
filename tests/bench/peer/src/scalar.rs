// SPDX-License-Identifier: MIT
//! A statement a request; tokio-postgres pipelines what is asked at the same time.
use crate::{answer, session::Session};
use axum::response::Response;
use tokio_postgres::{types::Type, Statement};
use uuid::Uuid;

/// Its columns: is_active, sees, and from there on the policy's, all null where there is none.
const IS_ACTIVE: usize = 0;
const SEES: usize = 1;
const POLICY: usize = 2;

pub struct Scalar {
    session: Session,
    statement: Statement,
}

impl Scalar {
    pub async fn new(session: Session) -> Scalar {
        let statement = session.prepare(include_str!("../sql/scalar.sql"), &[Type::TEXT, Type::UUID, Type::INT4]).await;
        Scalar { session, statement }
    }

    pub async fn ask(&self, key: &str, policy: Uuid) -> Response {
        let row = self.session.client.query_opt(&self.statement, &[&key, &policy, &self.session.permission]).await.unwrap();
        match row {
            Some(row) if row.get::<_, bool>(IS_ACTIVE) && row.get::<_, bool>(SEES) => match row.get::<_, Option<&str>>(POLICY) {
                Some(_) => answer::policy(policy, &row, POLICY),
                None => answer::not_found(),
            },
            _ => answer::forbidden(),
        }
    }
}
