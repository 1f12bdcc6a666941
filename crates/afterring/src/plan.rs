//! From settings to what a gateway is started with.

use ingress::http::HttpSettings;
use model::Clock;
use store::EmbeddedSettings;

use crate::app::Plan;
use crate::config::Settings;
use crate::running::Running;
use crate::telemetry::Logging;

/// What a gateway with these settings is started with. `seed` is any number; it decides the jitter of reconnects.
#[must_use]
pub fn plan(settings: Settings, clock: Clock, seed: u64, log: Logging) -> Plan {
    let http = HttpSettings {
        token: settings.http.listener.token.clone(),
        admit: None,
        body_limit: settings.http.body_limit,
        batch_limit: settings.http.batch_limit,
        numbering: settings.numbering.clone(),
        future_limit: settings.http.future_limit,
        past_limit: settings.http.past_limit,
        answer_timeout: settings.http.answer_timeout,
    };
    Plan {
        clock,
        store: EmbeddedSettings {
            shared: settings.database.is_some(),
            retention: settings.store.retention,
            ..EmbeddedSettings::new(settings.store.dir.clone(), settings.store.retention.calls)
        },
        database: settings.database.clone(),
        links: settings.links.clone(),
        http,
        http_listen: settings.http.listener.listen,
        http_tls: settings.http.listener.tls.clone(),
        sip: settings.sip.clone(),
        admin_listen: settings.admin.listen,
        admin_tls: settings.admin.tls.clone(),
        access: settings.access.clone(),
        running: Running::new(settings, clock, log),
        seed,
    }
}
