// Whose accounts an IWA may vouch for: those of its own forest, and of forests that it trusts
// (ORG-6).
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/directory/registry.h"

namespace devicetrust::iwa {

// A ticket is made by the KDC of the realm whose key opens it. That vouches for accounts of its own
// forest; for those of others it vouches by a trust, and whether there is one, the directory of the
// IWA's own forest says at the moment: the ticket may be hours old. A trust counts when it lets the
// other side's accounts in (outbound or both ways), is with a forest that this trusts as a whole,
// or with that very domain, and names the SID that the configuration gives the domain. Thread-safe.
class ForestTrusts {
 public:
  using Steady = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kRefreshedEvery{10};
  static constexpr std::chrono::seconds kKnownFor{45};  // Then it is not known any more.

  struct State {
    std::string domain;
    std::string forest;
    std::string problem;  // For people; empty: its accounts get tokens.
  };

  using Now = std::function<Steady::time_point()>;

  // `domains` outlives this. `own_forest`: DNS name, of a domain among them. `key_realms`: those of
  // the keytab.
  ForestTrusts(const directory::Registry& domains, std::string own_forest,
               const std::set<std::string>& key_realms, Now now = &Steady::now);
  ForestTrusts(const ForestTrusts&) = delete;
  ForestTrusts& operator=(const ForestTrusts&) = delete;

  // Asks the directories at once and then now and then, on a thread of its own.
  void Start();

  // Whether a ticket for an account of `domain`, of the registry, is good that a key of
  // `service_realm` opened. kPermissionDenied UNTRUSTED_FOREST; kUnavailable: not known now.
  absl::Status Check(const directory::Domain& domain, std::string_view service_realm) const;

  // Asks now. Blocks.
  void Refresh();
  const std::string& own_forest() const { return own_forest_; }
  std::vector<State> states() const;

 private:
  absl::Status CheckTrust(const directory::Domain& domain) const;

  // Of the domain: what the last answer said, and when it came.
  struct Known {
    absl::Status verdict;         // Of CheckTrust().
    std::string directory_fault;  // The domain's own directory did not answer.
    std::optional<Steady::time_point> at;
  };

  // What a domain of the own forest has said of its trusts, and when.
  struct OwnTrusts {
    std::vector<directory::Trust> trusts;
    std::optional<Steady::time_point> at;
  };

  const directory::Registry& domains_;
  const std::string own_forest_;
  const Now now_;
  std::vector<OwnTrusts>
      own_trusts_;  // As domains_.domains(); of Refresh() alone, as the next one.
  std::size_t next_other_ = 0;
  std::set<std::string> key_forests_;  // Written by the constructor alone.
  mutable Mutex mutex_;
  std::vector<Known> known_ ABSL_GUARDED_BY(mutex_);  // As domains_.domains().
  std::optional<BackgroundLoop> loop_;                // Last: it uses all the others.
};

}  // namespace devicetrust::iwa
