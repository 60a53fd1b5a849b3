//! The limit on series, counted on the page as a scraper counts them.

use super::*;

#[test]
fn an_app_that_makes_things_up_gets_no_more_series_than_the_limit_and_every_sum_stays_exact() {
    for (series, set) in [
        (500, GenAiMetrics::Both),
        (500, GenAiMetrics::Latest),
        (200, GenAiMetrics::Both),
        (1000, GenAiMetrics::V1_41),
    ] {
        let mut bench = Bench::kept(Kept { series, set, by_step: true, ..KEPT });
        let scrape = bench.metrics.scrape(vec![("service.name".to_owned(), "shop".to_owned())]).unwrap();
        let calls = if set == GenAiMetrics::Both { 10_000_u32 } else { 2000 };
        for number in 0..calls {
            let mut call = if number % 3 == 0 { failed() } else { answered() };
            call.facts.model = Some(format!("model-{number}"));
            call.served_model = Some(format!("served-{number}"));
            call.served_tier = Some(format!("tier-{number}"));
            call.identity.set(Who::Step, named(Source::Header, &format!("step-{number}"), "x"));
            if let Some(cause) = &mut call.cause {
                cause.error_type = format!("error-{number}");
            }
            for attempt in &mut call.attempts {
                attempt.host = format!("host-{number}.example");
                attempt.port = (number % 60_000) as u16;
                attempt.method = format!("M{number}");
                attempt.status = Some((100 + number % 900) as u16);
                attempt.error_type = attempt.error_type.as_ref().map(|_| format!("error-{number}"));
            }
            bench.metrics.observe(&call);
        }
        let page = scrape.page(Exposition::Text);
        assert!(samples(&page) <= series, "{} of {series} with {set:?}", samples(&page));
        let (all, answers) = (f64::from(calls), f64::from(calls - calls.div_ceil(3)));
        assert_eq!(sum(&page, "outrigger_calls_total"), all);
        assert_eq!(sum(&page, "outrigger_attempts_total"), all);
        let cost = answers * 0.0041905;
        assert!((sum(&page, "outrigger_cost_usd_total") - cost).abs() < 1e-9, "{page}");
        if set != GenAiMetrics::V1_41 {
            assert_eq!(sum(&page, "gen_ai_client_inference_usage_input_tokens_total"), answers * 1234.0);
            assert_eq!(sum(&page, "gen_ai_client_inference_duration_seconds_count"), all);
        }
        assert!(sum(&page, "outrigger_metrics_series") <= series as f64);
        assert!(
            page.contains("model=\"_other\",operation=\"chat\",outcome=\"answered\",provider=\"openai\"}"),
            "{page}"
        );
    }
}

/// The arithmetic of docs/metrics.md: what a model and its host take, what another model takes, and how many models have
/// every series of their own below the default limit.
#[test]
fn as_many_models_as_documented_have_every_series_of_their_own() {
    for (set, first, another, models) in
        [(GenAiMetrics::Both, 163, 146, 2), (GenAiMetrics::Latest, 94, 77, 3)]
    {
        let mut bench = Bench::new(set, Temporality::Cumulative);
        let scrape = bench.metrics.scrape(vec![("service.name".to_owned(), "shop".to_owned())]).unwrap();
        let quiet = samples(&scrape.page(Exposition::Text));
        assert!(quiet - 1 + about::WRONG <= series::FIXED, "{quiet} series before any call: raise FIXED");
        for number in 0..=models {
            let mut call = answered();
            for model in [&mut call.facts.model, &mut call.served_model, &mut call.attempts[0].model] {
                *model = Some(format!("model-{number}"));
            }
            bench.metrics.observe(&call);
            let page = scrape.page(Exposition::Text);
            let whole = !page.contains("_other") && !page.contains("otel_metric_overflow");
            assert_eq!(whole, number < models, "model {number} of {set:?}");
            if whole {
                assert_eq!(samples(&page) - quiet, first + number * another, "{set:?}");
            }
        }
    }
}

#[test]
fn a_failure_names_its_model_where_histograms_have_taken_the_room() {
    let mut bench = Bench::new(GenAiMetrics::Both, Temporality::Cumulative);
    let scrape = bench.metrics.scrape(vec![("service.name".to_owned(), "shop".to_owned())]).unwrap();
    for make in [answered, failed] {
        for number in 0..2 {
            let mut call = make();
            for model in [&mut call.facts.model, &mut call.served_model, &mut call.attempts[0].model] {
                *model = Some(format!("model-{number}"));
            }
            bench.metrics.observe(&call);
        }
    }
    let page = scrape.page(Exposition::Text);
    let failures = page
        .lines()
        .filter(|line| line.starts_with("outrigger_calls_total{") && line.contains("outcome=\"failed\""));
    let failures: Vec<&str> = failures.collect();
    for number in 0..2 {
        let model = format!("model=\"model-{number}\"");
        assert!(failures.iter().any(|line| line.contains(&model)), "{failures:#?}");
    }
    assert!(page.contains("_other"), "there was room for everything");
}
