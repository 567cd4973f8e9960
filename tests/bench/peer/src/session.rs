// SPDX-License-Identifier: MIT
//! A session of PostgreSQL with the settings that make plans right and cheap, the same as the product's.
use tokio_postgres::{types::Type, Client, Config, NoTls, Statement};

const SETTINGS: &str = "-c plan_cache_mode=force_generic_plan -c jit=off -c max_parallel_workers_per_gather=0 \
    -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_bitmapscan=off -c enable_memoize=off \
    -c join_collapse_limit=1 -c default_transaction_read_only=on";
const PERMISSION: &str = "select p.id from auth_permission p join django_content_type c on c.id = p.content_type_id
 where c.app_label = 'authentik_policies_event_matcher' and p.codename = 'view_eventmatcherpolicy'";

/// The client, and the id of the permission that opens the policies.
pub struct Session {
    pub client: Client,
    pub permission: i32,
}

pub async fn open(database: &str) -> Session {
    let mut config: Config = database.parse().unwrap();
    config.options(SETTINGS);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(async move { connection.await.unwrap() });
    let permission = client.query_one(PERMISSION, &[]).await.unwrap().get(0);
    Session { client, permission }
}

impl Session {
    pub async fn prepare(&self, text: &str, types: &[Type]) -> Statement {
        self.client.prepare_typed(text, types).await.unwrap()
    }
}
