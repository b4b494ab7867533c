//! Uses the types as a stranger would: reads a report of another server, looks at its sessions,
//! writes one of its own, and learns what is wrong with a third.

use std::error::Error;

use license_types::{
    Count, DateTime, ProductId, Retention, Session, SessionState, Token, observed,
};

/// What the published documentation shows, with what real outputs add and leave out.
const REPORT: &str = r#"[{
    "productId": 808464441, "productName": "4D Client", "productUsedCount": 1.0,
    "productBalance": 9, "token": 1, "time": "2021-12-01T15:36:42+01:00", "reason": "CLIENT",
    "session": {
        "type": "remote", "userName": "Ann", "machineName": "WS-12", "IPAddress": "localhost",
        "hostType": "mac", "creationDateTime": "2021-12-01T15:36+01:00", "state": "postponed",
        "ID": "3C81A8D7AFE64C2E9CCFFCDC35DC52F5", "licenseToken": 1, "color": "blue"
    }
}]"#;

fn main() -> Result<(), Box<dyn Error>> {
    let usage: observed::LicenseUsage = serde_json::from_str(REPORT)?;
    for retention in usage.iter().flatten() {
        let who = match &retention.session {
            observed::Session::Client(client) => {
                format!("{} on {} ({})", client.user_name, client.machine_name, client.state)
            }
            observed::Session::Sql(sql) => format!("{} by {}", sql.user_name, sql.user_agent),
            observed::Session::Rest(rest) => format!("{} over REST", rest.user_name),
        };
        println!("{} {}: {who}", retention.product_id.human(), retention.product_name);
    }
    let seen = usage.into_iter().flatten().next().ok_or("nobody holds a license")?;
    match Retention::try_from(seen) {
        Ok(_) => println!("it is as documented"),
        Err(error) => println!("not as documented: {error}"),
    }

    let mine = Retention {
        product_id: "0009".parse()?,
        product_name: "4D Client".to_owned(),
        product_used_count: Count::new(1)?,
        product_balance: Count::new(9)?,
        global_product_used_count: Count::new(1)?,
        token: Token::MIN,
        time: DateTime::new("2026-01-05T10:00:00.000Z")?,
        reason: "CLIENT".to_owned(),
        session: Session::rest("Eve", "job-7", "127.0.0.1"),
    };
    let json = serde_json::to_string(&mine)?;
    println!("{json}");
    assert_eq!(serde_json::from_str::<Retention>(&json)?, mine);
    assert_eq!(mine.product_id, ProductId::new(808464441)?);

    for state in SessionState::ALL {
        assert_eq!(state.as_str().parse(), Ok(*state));
    }
    let error = "idle".parse::<SessionState>().unwrap_err();
    println!("{error}");
    Ok(())
}
