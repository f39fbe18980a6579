#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "devicetrust/org/v1/console.pb.h"
#include "libs/base/clock.h"
#include "libs/base/tally.h"
#include "libs/db/database.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/sessions/session_store.h"
#include "policy-engine/users/admin_store.h"
#include "policy-engine/users/factor_check.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {

inline constexpr std::chrono::minutes kConsoleIdleMax{30};
inline constexpr std::chrono::hours kConsoleOpenMax{8};
inline constexpr std::chrono::minutes kConsoleFactorFreshFor{15};
// More administrators than a grant has room for: then nobody but super admins may touch a user.
inline constexpr std::size_t kProtectedUsersMax = 500;

// What administrators do in the browser, call by call. A gateway says which session its browser
// has; all else the org knows by itself. Thread-safe.
class Console {
 public:
  // All outlive this.
  struct Parts {
    db::Database& database;
    const OrgStore& store;  // For how long sessions last.
    EventSink& events;
    FactorCheck& factors;
    const Clock& clock;
    std::string org;
    // A signed grant (rpc::GrantSigner).
    std::function<absl::StatusOr<std::string>(const access::v1::Grant&)> sign;
  };
  explicit Console(Parts parts);

  // The contract (devicetrust.org.v1.ConsoleService) says what each does and refuses.
  absl::StatusOr<org::v1::GetConsoleResponse> Get(const org::v1::GetConsoleRequest& request) const;
  absl::StatusOr<org::v1::OpenConsoleResponse> Open(const org::v1::OpenConsoleRequest& request);
  absl::StatusOr<org::v1::CloseConsoleResponse> Close(const org::v1::CloseConsoleRequest& request);
  absl::StatusOr<org::v1::AuthorizeCallResponse> Authorize(
      const org::v1::AuthorizeCallRequest& request);

  // Of many refused calls few have an event of their own: this writes the number of the others, by
  // administrator. Every ten minutes and at the end.
  absl::Status TellRefusals();

 private:
  // An administrator with a session that goes on.
  struct Known {
    ConsoleSession session;
    AdminRow role;
    StoredUser user;
    std::optional<StoredSession> stored;  // Nothing: an earlier release opened it.
  };
  absl::StatusOr<Known> Find(db::Transaction& txn, const std::string& session_id) const;
  static org::v1::ConsoleState StateOf(const Known& known, WallTime now);
  // A call counts as a use of the console, and of its session.
  absl::Status Touch(const org::v1::AuthorizeCallRequest& request, const Known& known,
                     WallTime now);
  absl::Status TellRefused(const org::v1::AuthorizeCallRequest& request, const Known& known,
                           WallTime now);

  absl::StatusOr<access::v1::Grant> GrantFor(const org::v1::AuthorizeCallRequest& request,
                                             const Known& known, WallTime now) const;

  Parts parts_;
  Tally refused_;
};

}  // namespace devicetrust::policy
