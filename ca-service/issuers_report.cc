// What the issuers tell of themselves, and what they do by themselves.
#include <fmt/format.h>

#include <algorithm>

#include "ca-service/authority.h"
#include "ca-service/issuers.h"
#include "libs/base/log.h"
#include "libs/base/utc_time.h"

namespace devicetrust::ca {
namespace {

// An issuer goes this long after its last certificate: that stood on a list after its end then.
constexpr std::chrono::hours kAfterTheLast{48};
constexpr std::chrono::days kWarnOfRootList{14};
constexpr std::chrono::days kWarnOfIssuer{30};  // Before its end shortens new certificates.

}  // namespace

absl::StatusOr<IssuersReport> Issuers::Report() const {
  struct Rows {
    std::vector<StoredAuthority> roots;
    std::vector<StoredAuthority> issuers;
    std::vector<StoredRootCrl> lists;
    std::vector<StoredIssuerRequest> requests;
    std::map<std::string, std::int64_t> last_expiries;
  };
  DT_ASSIGN_OR_RETURN(
      const Rows rows, database_.Read([](db::Transaction& txn) -> absl::StatusOr<Rows> {
        IssuerStore store(txn);
        Rows read;
        DT_ASSIGN_OR_RETURN(read.roots, store.Roots());
        DT_ASSIGN_OR_RETURN(read.issuers, store.Issuers());
        DT_ASSIGN_OR_RETURN(read.lists, store.RootCrls());
        DT_ASSIGN_OR_RETURN(read.requests, store.Requests());
        for (const StoredAuthority& issuer : read.issuers) {
          DT_ASSIGN_OR_RETURN(read.last_expiries[issuer.id], store.LastExpiry(issuer.id));
        }
        return read;
      }));
  IssuersReport report;
  report.requests = rows.requests;
  for (const auto& issuer : Current()->all) {
    const auto row = std::ranges::find(rows.issuers, issuer->id(), &StoredAuthority::id);
    if (row == rows.issuers.end()) continue;  // Retired meanwhile.
    report.issuers.push_back({issuer, row->is_active, row->key_uri, row->published_at,
                              row->published_at + std::chrono::seconds(kPublishedFor).count(),
                              row->activated_at, rows.last_expiries.at(row->id)});
  }
  for (const StoredAuthority& row : rows.roots) {
    DT_ASSIGN_OR_RETURN(pki::Certificate certificate, pki::Certificate::FromDer(row.certificate));
    const auto list = std::ranges::find_if(
        rows.lists, [&](const StoredRootCrl& one) { return one.list.id == row.id; });
    report.roots.push_back({std::move(certificate), !row.sealed_key.empty(),
                            list == rows.lists.end() ? 0 : list->next_update});
  }
  return report;
}

absl::Status Issuers::Tend(std::chrono::days validity, const Beside& beside) {
  DT_ASSIGN_OR_RETURN(const IssuersReport report, Report());
  const WallTime now = clock_.Now();
  for (const IssuerReport& one : report.issuers) {
    const WallTime ends = one.issuer->certificate().not_after();
    if (one.is_active && now + validity + kWarnOfIssuer > ends) {
      Log(LogLevel::kWarning, "ca.issuer.ends",
          {{"issuer", one.issuer->id()}, {"ends", FormatUtc(ends)}});
    }
    // One that never signed waits to be activated.
    if (one.is_active || one.activated_at == 0) continue;
    if (AtUnixSeconds(one.last_expiry) + kAfterTheLast > now) continue;
    DT_RETURN_IF_ERROR(Retire(one.issuer->id(), /*insist=*/false, beside));
  }
  for (const RootReport& root : report.roots) {
    const bool in_use = Current()->offline_roots.contains(AuthorityId(root.certificate));
    if (!in_use || AtUnixSeconds(root.list_ends_at) > now + kWarnOfRootList) continue;
    Log(LogLevel::kWarning, "ca.root_crl.ends",
        {{"root", AuthorityId(root.certificate)},
         {"ends",
          root.list_ends_at == 0 ? "never brought" : FormatUtc(AtUnixSeconds(root.list_ends_at))}});
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::ca
