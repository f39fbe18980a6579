// What the CA measures beside its calls and its store. docs/metrics.md lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::ca {

inline const metrics::Counters kEnrollments(
    "dt_ca_enrollments_total",
    "Enrollments asked for, by result: OK, also for one that got its certificate again, or the"
    " reason of the refusal.",
    {"result"});
inline const metrics::Counters kCertificatesIssued("dt_ca_certificates_issued_total",
                                                   "Device certificates issued and recorded.");
inline const metrics::Counters kCertificatesRevoked("dt_ca_certificates_revoked_total",
                                                    "Device certificates revoked, by reason.",
                                                    {"reason"});
inline const metrics::Counters kHoldsReleased("dt_ca_holds_released_total",
                                              "Device certificates that were on hold and are good"
                                              " again.");
inline const metrics::Counters kSignatures("dt_ca_signatures_total",
                                           "Signatures by issuers' keys: of what (certificate, "
                                           "responder, crl), and how it ended (OK, error).",
                                           {"of", "result"});
inline const metrics::Gauges kCrlUpdated("dt_ca_crl_this_update_timestamp_seconds",
                                         "thisUpdate of the list that is served, Unix time.",
                                         {"issuer"}, metrics::Merge::kLeast);
inline const metrics::Gauges kCrlNextUpdate("dt_ca_crl_next_update_timestamp_seconds",
                                            "When the list that was made last ends, Unix time.",
                                            {"issuer"}, metrics::Merge::kLeast);
inline const metrics::Gauges kCrlBytes("dt_ca_crl_bytes", "Size of the list that is served.",
                                       {"issuer"});
inline const metrics::Gauges kCrlEntries("dt_ca_crl_entries",
                                         "Certificates on the list that was made last.",
                                         {"issuer"});
inline const metrics::Gauges kIssuerExpiry("dt_ca_issuer_expiry_timestamp_seconds",
                                           "When an issuer's certificate ends, Unix time.",
                                           {"issuer"}, metrics::Merge::kLeast);
inline const metrics::Gauges kRootListEnds(
    "dt_ca_root_crl_next_update_timestamp_seconds",
    "When the list of a root whose key is kept elsewhere ends, Unix time.", {"root"},
    metrics::Merge::kLeast);

inline const metrics::Counters kOcspAnswers(
    "dt_ca_ocsp_answers_total",
    "OCSP answers: what they say (good, revoked, unknown, several, malformed, unauthorized,"
    " try_later), and whether a signature was kept, signed for it, or none.",
    {"answer", "signature"});
inline const metrics::Gauges kOcspKept("dt_ca_ocsp_kept_certificates",
                                       "Certificates with an OCSP answer in memory.");
inline const metrics::Gauges kOcspKeptBytes("dt_ca_ocsp_kept_bytes",
                                            "Memory of the OCSP answers that are kept.");
inline const metrics::Gauges kOcspDelegateExpiry(
    "dt_ca_ocsp_delegate_expiry_timestamp_seconds",
    "When the certificate ends by whose key OCSP answers are signed, Unix time.", {"issuer"},
    metrics::Merge::kLeast);

}  // namespace devicetrust::ca
