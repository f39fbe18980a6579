#include "iwa/forest_trusts.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/base/names.h"
#include "libs/rpc/error.h"

namespace devicetrust::iwa {
namespace {

using directory::Domain;
using directory::Trust;

absl::Status NotTrusted(const Domain& domain, std::string message, std::string remedy) {
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_UNTRUSTED_FOREST,
                        std::move(message), domain.dns_name, std::move(remedy));
}

// `trusts`: all that a domain of the own forest has.
absl::Status JudgeTrust(const Domain& domain, const std::string& own,
                        const directory::Registry& domains, const std::vector<Trust>& trusts) {
  std::optional<absl::Status> refusal;  // Of the first that is none; another may be one.
  const auto refuse = [&](std::string message, std::string remedy) {
    if (!refusal) refusal = NotTrusted(domain, std::move(message), std::move(remedy));
  };
  for (const Trust& trust : trusts) {
    const bool of_forest = FoldName(trust.partner) == domain.forest && trust.forest_transitive;
    const bool of_domain = FoldName(trust.partner) == domain.dns_name;
    if (!of_forest && !of_domain) continue;
    if (!trust.outbound) {
      refuse(fmt::format("{} does not trust {}: the trust goes the other way alone", own,
                         trust.partner),
             "Let the trust go both ways, or enroll through an IWA of that forest.");
      continue;
    }
    const auto is_another = [&trust](const Domain& partner) {
      return partner.dns_name == FoldName(trust.partner) && partner.sid != trust.sid;
    };
    if (std::ranges::none_of(domains.domains(), is_another)) return absl::OkStatus();
    refuse(fmt::format("{} trusts a {} of SID {}, which is another one", own, trust.partner,
                       trust.sid.empty() ? "(none)" : trust.sid),
           "Check the domain-sid of the IWA's configuration; else make the trust anew.");
  }
  if (refusal) return *refusal;
  return NotTrusted(domain, fmt::format("{} does not trust the forest {}", own, domain.forest),
                    "Enroll through an IWA of the account's own forest, or make a forest trust.");
}

}  // namespace

ForestTrusts::ForestTrusts(const directory::Registry& domains, std::string own_forest,
                           const std::set<std::string>& key_realms, Now now)
    : domains_(domains),
      own_forest_(std::move(own_forest)),
      now_(std::move(now)),
      own_trusts_(domains.domains().size()),
      known_(domains.domains().size()) {
  for (const std::string& realm : key_realms) {
    const auto domain = domains.FindByRealm(realm);
    if (domain.ok()) key_forests_.insert((*domain)->forest);
  }
}

void ForestTrusts::Start() {
  loop_.emplace(std::chrono::milliseconds(0), [this] {
    Refresh();
    return BackgroundLoop::Pause(kRefreshedEvery);
  });
}

// The own forest first: others, which may not answer for seconds each, say nothing of the trusts,
// and when many do not, the rest of them is asked next time.
void ForestTrusts::Refresh() {
  const auto domains = domains_.domains();
  const Steady::time_point begun = now_();
  std::vector<Trust> trusts;
  bool root_answers = false;
  const auto ask = [&](std::size_t at) {
    auto listed = domains[at].directory->ListTrusts();
    const MutexLock lock(mutex_);
    known_[at].directory_fault = listed.ok() ? "" : std::string(listed.status().message());
    return listed;
  };
  for (std::size_t at = 0; at < domains.size(); ++at) {
    if (domains[at].forest != own_forest_) continue;
    auto listed = ask(at);
    if (listed.ok()) {
      own_trusts_[at] = {*std::move(listed), now_()};
      root_answers = root_answers || domains[at].dns_name == own_forest_;
    }
    const OwnTrusts& own = own_trusts_[at];  // A child that is silent for a moment has its last.
    if (own.at && now_() - *own.at <= kKnownFor) {
      trusts.insert(trusts.end(), own.trusts.begin(), own.trusts.end());
    }
  }
  if (root_answers) {  // Else what was known stays so for a while.
    const MutexLock lock(mutex_);
    for (std::size_t at = 0; at < domains.size(); ++at) {
      if (domains[at].forest == own_forest_) continue;
      known_[at].verdict = JudgeTrust(domains[at], own_forest_, domains_, trusts);
      known_[at].at = now_();
    }
  }
  for (std::size_t asked = 0; asked < domains.size(); ++asked) {
    if (now_() - begun > kRefreshedEvery) break;
    next_other_ = (next_other_ + 1) % domains.size();
    if (domains[next_other_].forest != own_forest_) static_cast<void>(ask(next_other_));
  }
}

absl::Status ForestTrusts::Check(const Domain& domain, std::string_view service_realm) const {
  const auto service = domains_.FindByRealm(service_realm);
  const std::string made_by = service.ok() ? (*service)->forest : std::string(service_realm);
  if (made_by == domain.forest) return absl::OkStatus();
  if (made_by != own_forest_) {
    return NotTrusted(domain,
                      fmt::format("the ticket was made in {}, which speaks for no account of {}",
                                  made_by, domain.forest),
                      "Ask for a ticket of the IWA's service in its own forest.");
  }
  return CheckTrust(domain);
}

absl::Status ForestTrusts::CheckTrust(const Domain& domain) const {
  const auto at = static_cast<std::size_t>(&domain - domains_.domains().data());
  const MutexLock lock(mutex_);
  const Known& known = known_.at(at);
  if (!known.at || now_() - *known.at > kKnownFor) {
    return rpc::MakeError(
        absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
        fmt::format("no directory of {} says whether it trusts {}", own_forest_, domain.forest),
        domain.dns_name, "Try again; if it stays, look at dt-iwa status.");
  }
  return known.verdict;
}

std::vector<ForestTrusts::State> ForestTrusts::states() const {
  std::vector<State> states;
  for (const Domain& domain : domains_.domains()) {
    State state{domain.dns_name, domain.forest, {}};
    const bool by_trust = !key_forests_.contains(domain.forest) && domain.forest != own_forest_;
    const absl::Status verdict = by_trust ? CheckTrust(domain) : absl::OkStatus();
    const MutexLock lock(mutex_);
    const Known& known = known_.at(states.size());
    if (!known.directory_fault.empty()) {
      state.problem = "its directory does not answer: " + known.directory_fault;
    } else if (!verdict.ok()) {
      state.problem = std::string(verdict.message());
    }
    states.push_back(std::move(state));
  }
  return states;
}

}  // namespace devicetrust::iwa
