// SPDX-License-Identifier: MIT
//! The product's own idea in Rust: what is asked while a batch is out shares the statements of the next one.
use crate::{answer, session::Session};
use axum::response::Response;
use std::{collections::HashMap, mem, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{types::Type, Row, Statement};
use uuid::Uuid;

/// A second batch goes out beside the first from so many waiting questions on; no batch has more than the other.
const SECOND: usize = 32;
const MOST: usize = 64;

struct Question {
    key: String,
    policy: Uuid,
    sender: oneshot::Sender<Response>,
}

/// What was true of a key the last time: the group that makes its holder a superuser (or nil), and whether they see all.
/// It decides only what is asked.
#[derive(Clone, Copy, Default)]
struct Guess {
    superuser_by: Uuid,
    needs_grants: bool,
}

type Learnt = Vec<(String, Guess)>;

struct Statements {
    session: Session,
    callers: Statement,
    policies: Statement,
    grants: Statement,
}

pub struct Batch {
    queue: mpsc::UnboundedSender<Question>,
}

impl Batch {
    pub async fn new(session: Session) -> Batch {
        let callers = session.prepare(include_str!("../sql/callers.sql"), &[Type::TEXT_ARRAY, Type::UUID_ARRAY, Type::INT4]).await;
        let policies = session.prepare(include_str!("../sql/policies.sql"), &[Type::UUID_ARRAY]).await;
        let grants = session.prepare(include_str!("../sql/grants.sql"), &[Type::TEXT_ARRAY, Type::UUID_ARRAY, Type::INT4]).await;
        let (queue, questions) = mpsc::unbounded_channel();
        tokio::spawn(run(Arc::new(Statements { session, callers, policies, grants }), questions));
        Batch { queue }
    }

    pub async fn ask(&self, key: &str, policy: Uuid) -> Response {
        let (sender, receiver) = oneshot::channel();
        self.queue.send(Question { key: key.to_string(), policy, sender }).ok().unwrap();
        receiver.await.unwrap()
    }
}

async fn run(statements: Arc<Statements>, mut questions: mpsc::UnboundedReceiver<Question>) {
    let (learnt, mut returned) = mpsc::unbounded_channel::<Learnt>();
    let (mut guesses, mut waiting, mut out) = (HashMap::<String, Guess>::new(), Vec::new(), 0);
    loop {
        tokio::select! {
            question = questions.recv() => waiting.push(question.unwrap()),
            what = returned.recv() => { out -= 1; guesses.extend(what.unwrap()) }
        }
        tokio::task::yield_now().await; // whoever else can ask now comes along
        while let Ok(question) = questions.try_recv() {
            waiting.push(question);
        }
        while !waiting.is_empty() && (out == 0 || (out == 1 && waiting.len() >= SECOND)) {
            let left = waiting.split_off(waiting.len().min(MOST));
            let batch = Distinct::of(mem::replace(&mut waiting, left), &guesses);
            let (statements, learnt) = (statements.clone(), learnt.clone());
            tokio::spawn(async move { learnt.send(batch.answer(&statements).await) });
            out += 1;
        }
    }
}

/// A batch with each key and each policy once.
struct Distinct {
    questions: Vec<(Question, usize, usize)>,
    keys: Vec<String>,
    guesses: Vec<Guess>,
    policies: Vec<Uuid>,
}

fn place<T: PartialEq>(list: &mut Vec<T>, value: T) -> usize {
    list.iter().position(|other| *other == value).unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    })
}

impl Distinct {
    fn of(batch: Vec<Question>, known: &HashMap<String, Guess>) -> Distinct {
        let (mut keys, mut policies) = (Vec::new(), Vec::new());
        let questions = batch.into_iter().map(|question| {
            let places = (place(&mut keys, question.key.clone()), place(&mut policies, question.policy));
            (question, places.0, places.1)
        });
        let questions = questions.collect();
        let guesses = keys.iter().map(|key| known.get(key).copied().unwrap_or_default()).collect();
        Distinct { questions, keys, guesses, policies }
    }

    /// The questions that only a grant may answer, as far as a list of keys tells; empty: nobody.
    async fn granted(&self, statements: &Statements, needs: &[bool]) -> Vec<bool> {
        let asked: Vec<usize> = (0..self.questions.len()).filter(|n| needs[self.questions[*n].1]).collect();
        let mut granted = vec![false; self.questions.len()];
        if !asked.is_empty() {
            let keys: Vec<&str> = asked.iter().map(|n| self.questions[*n].0.key.as_str()).collect();
            let policies: Vec<Uuid> = asked.iter().map(|n| self.questions[*n].0.policy).collect();
            let session = &statements.session;
            for row in session.client.query(&statements.grants, &[&keys, &policies, &session.permission]).await.unwrap() {
                granted[asked[row.get::<_, i64>(0) as usize - 1]] = true;
            }
        }
        granted
    }

    async fn answer(self, statements: &Statements) -> Learnt {
        let session = &statements.session;
        let believed: Vec<Uuid> = self.guesses.iter().map(|guess| guess.superuser_by).collect();
        let guessed: Vec<bool> = self.guesses.iter().map(|guess| guess.needs_grants).collect();
        let callers: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&self.keys, &believed, &session.permission];
        let policies: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&self.policies];
        let (callers, policies, mut granted) = tokio::join!(
            session.client.query(&statements.callers, &callers),
            session.client.query(&statements.policies, &policies),
            self.granted(statements, &guessed));
        let (sees_all, active, learnt) = self.judge(&callers.unwrap());
        let missed: Vec<bool> = (0..self.keys.len()).map(|n| active[n] && !sees_all[n] && !guessed[n]).collect();
        if missed.iter().any(|missed| *missed) {
            let more = self.granted(statements, &missed).await;
            granted.iter_mut().zip(more).for_each(|(granted, more)| *granted |= more);
        }
        self.send(&policies.unwrap(), &sees_all, &active, &granted);
        learnt
    }

    fn judge(&self, rows: &[Row]) -> (Vec<bool>, Vec<bool>, Learnt) {
        let (mut sees_all, mut active) = (vec![false; self.keys.len()], vec![false; self.keys.len()]);
        let learnt = rows.iter().map(|row| {
            let n = row.get::<_, i64>(0) as usize - 1;
            (active[n], sees_all[n]) = (true, row.get(2));
            let superuser_by = row.get::<_, Option<Uuid>>(1).unwrap_or_default();
            (self.keys[n].clone(), Guess { superuser_by, needs_grants: !sees_all[n] })
        });
        let learnt = learnt.collect();
        (sees_all, active, learnt)
    }

    fn send(self, rows: &[Row], sees_all: &[bool], active: &[bool], granted: &[bool]) {
        let mut row_of = vec![None; self.policies.len()];
        for row in rows {
            row_of[row.get::<_, i64>(0) as usize - 1] = Some(row);
        }
        for (n, (question, key, policy)) in self.questions.into_iter().enumerate() {
            let sees = active[key] && (sees_all[key] || granted[n]);
            let _ = question.sender.send(match row_of[policy] {
                Some(row) if sees => answer::policy(question.policy, row, 1),
                None if sees => answer::not_found(),
                _ => answer::forbidden(),
            });
        }
    }
}
