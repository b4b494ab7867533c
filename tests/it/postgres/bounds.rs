//! What every connection has told its database, asked there: how long anybody waits for us, and what
//! turns rely on.

use std::fs;
use std::process;

use super::server::{Server, until};
use crate::pool::world::options;

/// Notes what holds on each connection that writes.
const NOTE: &str = "
    CREATE TABLE public.noted (
        process int, isolation text, lock text, idle text, statement text, tcp text);
    CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.noted VALUES (
            pg_backend_pid(), current_setting('default_transaction_isolation'),
            current_setting('lock_timeout'),
            current_setting('idle_in_transaction_session_timeout'),
            current_setting('statement_timeout'),
            concat_ws(' ', current_setting('tcp_user_timeout'),
                current_setting('tcp_keepalives_idle'), current_setting('tcp_keepalives_interval'),
                current_setting('tcp_keepalives_count')));
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE ON license.entry
        FOR EACH ROW EXECUTE FUNCTION public.note();
    CREATE TRIGGER note AFTER INSERT OR UPDATE ON license.server
        FOR EACH ROW EXECUTE FUNCTION public.note()";

#[test]
fn every_connection_bounds_how_long_it_holds_the_others_up() {
    // An address of this machine's that no other process of the tests takes.
    let [_, a, b, c] = process::id().to_be_bytes();
    let near = format!("127.{}.{b}.{c}", a | 128);
    let Some(server) = Server::start(&[("listen_addresses", &near)]) else { return };
    let server = std::sync::Arc::new(server);
    let rules = "local all all trust\nhost all all 127.0.0.0/8 trust\n";
    fs::write(server.data().join("pg_hba.conf"), rules).unwrap();
    server.sql("postgres", "SELECT pg_reload_conf()");
    let database = server.database();
    let address = format!("postgres://postgres@{near}/{}", database.name);
    until("the server lets it in", || options().open(&address).is_ok());
    database.sql(NOTE);
    for setting in [
        "default_transaction_isolation = serializable",
        "lock_timeout = 0",
        "statement_timeout = 0",
    ] {
        database.sql(&format!("ALTER DATABASE {} SET {setting}", database.name));
    }
    let pool = database.open_spread(options(), &address);
    let noted = "SELECT isolation, lock, idle, statement, tcp, count(DISTINCT process) >= 3
        FROM public.noted WHERE process IN (SELECT pid FROM pg_stat_activity)
        GROUP BY 1, 2, 3, 4, 5";
    // The kernel's own words: a timeout in milliseconds, and seconds, seconds and how often.
    assert_eq!(database.sql(noted), "read committed|6s|3s|8s|15000 10 5 3|t");
    drop(pool);
}
