//! What people said and how far campaigns came, as the second round trip writes it.

use std::collections::BTreeMap;

use routing::Effect;
use tokio_postgres::types::Type;

use super::{Parameter, key};
use crate::StoreError;

const DAY: i64 = 86_400_000;

/// Rows of both tables, a list a column.
#[derive(Default)]
pub(super) struct Said {
    called: Vec<i64>,
    at: Vec<i64>,
    what: Vec<&'static str>,
    body: Vec<String>,
    /// Days since 1970-01-01.
    day: Vec<i32>,
    range: Vec<String>,
    campaign: Vec<String>,
    step: Vec<&'static str>,
    count: Vec<i64>,
}

impl Said {
    pub(super) const EVIDENCE: &str = "insert into evidence (bucket, called, at, what, body) \
        select (u.called % 64)::smallint, u.called, to_timestamp(u.at / 1000.0), u.what, u.body::json \
        from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) u(called, at, what, body)";

    /// A row is of one node: no two batches wait for each other here.
    pub(super) const CAMPAIGNS: &str = "insert into campaign_count as k (day, range, campaign, step, node, count) \
        select date '1970-01-01' + u.day, u.range, u.campaign, u.step, $1::bigint::integer, u.count \
        from unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::bigint[]) u(day, range, campaign, step, count) \
        order by 1, 2, 3, 4 on conflict (day, range, campaign, step, node) do update set count = k.count + excluded.count";

    pub(super) fn of(effects: &[Effect]) -> Result<Self, StoreError> {
        let (mut rows, mut counts) = (Self::default(), BTreeMap::new());
        for effect in effects {
            match effect {
                Effect::Evidence(evidence) => {
                    rows.called.push(key(evidence.called));
                    rows.at.push(evidence.at.as_millis());
                    rows.what.push(evidence.what.as_str());
                    rows.body.push(super::json(evidence, "evidence")?);
                }
                Effect::Campaign(step) => {
                    let day = i32::try_from(step.at.as_millis().div_euclid(DAY)).unwrap_or(0);
                    let of = (day, step.range.0.clone(), step.campaign.0.clone(), step.step.as_str());
                    *counts.entry(of).or_insert(0) += 1;
                }
                Effect::CallBox(_)
                | Effect::Alert(_)
                | Effect::Count(_)
                | Effect::Charge(_)
                | Effect::Subscribe(_)
                | Effect::ChangeSubscriber(_)
                | Effect::Unsubscribe(_)
                | Effect::Word(_) => {}
            }
        }
        for ((day, range, campaign, step), count) in counts {
            rows.day.push(day);
            rows.range.push(range);
            rows.campaign.push(campaign);
            rows.step.push(step);
            rows.count.push(count);
        }
        Ok(rows)
    }

    pub(super) const fn has_evidence(&self) -> bool {
        !self.called.is_empty()
    }

    pub(super) const fn has_campaigns(&self) -> bool {
        !self.day.is_empty()
    }

    pub(super) fn evidence(&self) -> [Parameter<'_>; 4] {
        [
            (&self.called, Type::INT8_ARRAY),
            (&self.at, Type::INT8_ARRAY),
            (&self.what, Type::TEXT_ARRAY),
            (&self.body, Type::TEXT_ARRAY),
        ]
    }

    pub(super) fn campaigns<'a>(&'a self, node: &'a i64) -> [Parameter<'a>; 6] {
        [
            (node, Type::INT8),
            (&self.day, Type::INT4_ARRAY),
            (&self.range, Type::TEXT_ARRAY),
            (&self.campaign, Type::TEXT_ARRAY),
            (&self.step, Type::TEXT_ARRAY),
            (&self.count, Type::INT8_ARRAY),
        ]
    }
}
