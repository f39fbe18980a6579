#include "policy-engine/users/account_watch.h"

#include <string_view>
#include <utility>

#include "libs/base/log_sparsely.h"
#include "libs/rpc/error.h"

namespace devicetrust::policy {
namespace {

absl::Status Over(reason::v1::Reason reason, std::string_view what) {
  return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason, std::string(what), {},
                        "Ask your administrator, then sign in again.");
}

// The domain as a whole does not answer; other errors are of one account.
bool SaysNothing(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsFailedPrecondition(status);
}

}  // namespace

absl::Status CheckAccount(const directory::User& user, WallTime now) {
  if (!user.enabled) {
    return Over(reason::v1::REASON_USER_DISABLED, "the account is disabled in Active Directory");
  }
  if (user.HasExpired(now)) {
    return Over(reason::v1::REASON_ACCOUNT_EXPIRED, "the account has expired in Active Directory");
  }
  if (user.locked) {
    return Over(reason::v1::REASON_ACCOUNT_LOCKED, "the account is locked in Active Directory");
  }
  return absl::OkStatus();
}

void AccountWatch::Saw(const std::string& user_id, WallTime now) {
  const MutexLock lock(mutex_);
  seen_[user_id] = now;
}

bool AccountWatch::IsDue(const std::string& user_id, WallTime now) const {
  if (directories_.domains().empty()) return false;
  const MutexLock lock(mutex_);
  const auto found = seen_.find(user_id);
  // A clock that was set back makes no word last longer.
  return found == seen_.end() || now - found->second >= limits_.check_after || now < found->second;
}

absl::Status AccountWatch::WhileAway(const std::string& user_id, WallTime now) const {
  const MutexLock lock(mutex_);
  const auto found = seen_.find(user_id);
  const WallTime last = found == seen_.end() ? started_ - limits_.check_after : found->second;
  if (now - last < limits_.check_after + limits_.grace) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
                        "the directory has not answered for too long to tell whether the account is"
                        " still good",
                        "directory", "Try again in a moment.", kDomainAskedAgainAfter);
}

bool AccountWatch::IsAway(const directory::Domain& domain) const {
  const MutexLock lock(mutex_);
  return away_.contains(&domain);
}

absl::Status AccountWatch::Check(const std::string& user_id, const std::string& sid, WallTime now) {
  const absl::StatusOr<const directory::Domain*> domain = directories_.FindBySid(sid);
  if (!domain.ok()) {
    return Over(reason::v1::REASON_USER_NOT_IN_DOMAIN, "the account is of no domain of this org");
  }
  if (IsAway(**domain)) return WhileAway(user_id, now);
  const absl::StatusOr<directory::User> user = (*domain)->directory->FindUserBySid(sid);
  if (absl::IsNotFound(user.status())) {
    return Over(reason::v1::REASON_USER_NOT_IN_DOMAIN,
                "the account is no longer in Active Directory");
  }
  if (!user.ok()) {
    LogSparsely(LogLevel::kWarning, "org.account.unchecked", (*domain)->dns_name,
                {{"domain", (*domain)->dns_name}, {"error", user.status().ToString()}});
    if (SaysNothing(user.status())) {
      const MutexLock lock(mutex_);
      away_.insert_or_assign(*domain, sid);
    }
    return WhileAway(user_id, now);
  }
  DT_RETURN_IF_ERROR(CheckAccount(*user, now));
  Saw(user_id, now);
  return absl::OkStatus();
}

void AccountWatch::AskAgain() {
  std::map<const directory::Domain*, std::string> away;
  {
    const MutexLock lock(mutex_);
    away = away_;
  }
  for (const auto& [domain, sid] : away) {
    if (SaysNothing(domain->directory->FindUserBySid(sid).status())) continue;
    const MutexLock lock(mutex_);
    away_.erase(domain);
  }
}

void AccountWatch::Prune(WallTime now) {
  const MutexLock lock(mutex_);
  std::erase_if(seen_, [&](const auto& entry) {
    return now - entry.second >= limits_.check_after + limits_.grace;
  });
}

}  // namespace devicetrust::policy
