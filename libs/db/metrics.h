// What libs/db measures of each store, whose label is its file's name: "dt-ca". docs/metrics.md
// lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::db {

inline const metrics::Histograms kCommitSeconds(
    "dt_db_commit_seconds", "Time of one commit, with the calls that it carries.",
    metrics::kLatencyBuckets, {"store"});
inline const metrics::Histograms kCommitCalls("dt_db_commit_calls",
                                              "How many calls one commit carries.",
                                              metrics::kSizeBuckets, {"store"});
inline const metrics::Counters kCommitsFailed("dt_db_commits_failed_total",
                                              "Commits that failed, and all their calls with them.",
                                              {"store"});
inline const metrics::Gauges kWritesWaiting("dt_db_writes_waiting",
                                            "Calls that wait for the writer.", {"store"});
inline const metrics::Gauges kOutboxWaiting(
    "dt_db_outbox_waiting", "Events that are committed and not yet delivered to the System Log.");
inline const metrics::Gauges kOutboxParked(
    "dt_db_outbox_parked", "Events that the System Log's release does not take yet.");
inline const metrics::Counters kOutboxDelivered("dt_db_outbox_delivered_total",
                                                "Events delivered to the System Log.");
inline const metrics::Counters kOutboxFailures(
    "dt_db_outbox_failures_total", "Attempts to deliver events that failed; they are repeated.");

}  // namespace devicetrust::db
