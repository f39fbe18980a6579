// What the org measures beside its calls and its stores. docs/metrics.md lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::policy {

inline const metrics::Counters kDecisions("dt_policy_decisions_total",
                                          "Sign-ons that were decided, by outcome.", {"outcome"});
inline const metrics::Counters kReportOnly(
    "dt_policy_report_only_total",
    "Report-only rules that would have decided a sign-on, by what they would have made of it and"
    " whether that is what was decided: same or other.",
    {"outcome", "decided"});
inline const metrics::Counters kDeviceTrust(
    "dt_policy_device_trust_total",
    "Decisions by what became of the device: OK for a trusted one, NONE where no rule asked, or"
    " the reason why it is not trusted.",
    {"result"});
inline const metrics::Counters kFactors(
    "dt_policy_factors_total", "Second factors shown, by result: OK, or the reason of the refusal.",
    {"result"});
inline const metrics::Counters kPasswords(
    "dt_policy_passwords_total", "Passwords checked, by result: OK, or the reason of the refusal.",
    {"result"});
inline const metrics::Counters kTickets(
    "dt_policy_tickets_total",
    "Sessions asked for by Kerberos tickets, by result: OK, or the reason of the refusal.",
    {"result"});
inline const metrics::Counters kEnrollmentsAuthorized(
    "dt_policy_enrollments_authorized_total",
    "Enrollments that the CA asked about, by result: OK, or the reason of the refusal.",
    {"result"});
inline const metrics::Gauges kSamlKeyExpiry(
    "dt_policy_saml_key_expiry_timestamp_seconds",
    "When the certificate of a key that signs SAML responses ends, Unix time.", {"kid"},
    metrics::Merge::kLeast);
inline const metrics::Counters kPeopleSyncPasses("dt_policy_people_sync_passes_total",
                                                 "Readings of a directory's people, by domain and "
                                                 "result: ok, failed (nobody changed), or stopped"
                                                 " (too many would be deactivated).",
                                                 {"domain", "result"});
inline const metrics::Histograms kPeopleSyncSeconds("dt_policy_people_sync_seconds",
                                                    "Time of one reading, with what it changes.",
                                                    metrics::kLatencyBuckets);
inline const metrics::Gauges kPeopleSyncPeople(
    "dt_policy_people_sync_people", "People who are active by a directory's word, by domain.",
    {"domain"});
inline const metrics::Gauges kPeopleSyncWaiting(
    "dt_policy_people_sync_waiting",
    "Deactivations of a stopped sync that wait for an approval, by domain.", {"domain"});
inline const metrics::Gauges kPeopleSyncedAt(
    "dt_policy_people_synced_timestamp_seconds",
    "When a directory's people were read to the end last, Unix time, by domain.", {"domain"},
    metrics::Merge::kLeast);
inline const metrics::Gauges kLogBytes("dt_policy_log_bytes",
                                       "Size of the System Log's events, about.");
inline const metrics::Gauges kLogEvents("dt_policy_log_events", "Events in the System Log.");
inline const metrics::Counters kLogDeleted(
    "dt_policy_log_deleted_total",
    "Events deleted from the System Log, by cause: age, or size of the log.", {"cause"});
inline const metrics::Counters kLogRefused(
    "dt_policy_log_refused_total",
    "Malformed events that a component sent; the System Log has a word of each instead.");
inline const metrics::Counters kHookDeliveries(
    "dt_policy_hook_deliveries_total",
    "Deliveries of event hooks that were tried, by result: OK or FAILED.", {"hook", "result"});
inline const metrics::Counters kHookDeadLetters("dt_policy_hook_dead_letters_total",
                                                "Deliveries of event hooks that were given up.",
                                                {"hook"});
inline const metrics::Counters kHookLost(
    "dt_policy_hook_lost_total",
    "Times that events were deleted from the System Log before a hook had them.", {"hook"});
inline const metrics::Gauges kLogChainBroken(
    "dt_policy_log_chain_broken",
    "1 when the event whose hash was signed last is gone from the System Log, or another.");
inline const metrics::Histograms kEvaluationSeconds("dt_policy_evaluation_seconds",
                                                    "Time to evaluate the rules of one sign-on.",
                                                    metrics::kLatencyBuckets);

}  // namespace devicetrust::policy
