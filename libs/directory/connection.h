// One libldap handle. Inside this library only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/directory/entry.h"
#include "libs/directory/watchdog.h"

struct ldap;         // libldap's LDAP.
struct ldapcontrol;  // libldap's LDAPControl.
struct ldapmsg;      // libldap's LDAPMessage.

namespace devicetrust::directory {

struct Answer {
  int code = 0;  // LDAP result code.
  std::string diagnostic;
};

struct Query {
  std::string base;  // Searched with everything below.
  std::string filter;
  std::span<const char* const> attributes;  // Null-terminated list, the null included.
  int entries_max = 2;
};

struct SearchAnswer {
  Answer result;
  std::vector<Entry> entries;
};

// One page of a list (RFC 2696).
struct PageQuery {
  std::string base;
  bool base_only = false;  // Else everything below, too.
  std::string filter;
  std::span<const char* const> attributes;  // As in Query.
  bool deleted = false;                     // Tombstones, too ([MS-ADTS] 3.1.1.3.4.1.14).
  std::string cookie;                       // Of the page before; empty: the first.
};
inline constexpr int kPageEntries = 1000;  // What Active Directory gives at most.

struct Page {
  Answer result;
  std::vector<Entry> entries;
  std::size_t continuations = 0;  // Referrals to elsewhere, which are not followed.
  std::string cookie;             // Empty: it was the last.
};

// A connected handle, used by one thread at a time. Any error leaves it unusable: a
// late answer must never meet a later question, and libldap does not reconnect.
class Connection {
 public:
  // Connects and shakes hands before `deadline`. kUnavailable names URL and CA file,
  // because libldap says little about TLS failures.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& url,
                                                          const std::string& ca_file,
                                                          Watchdog& watchdog, SteadyTime deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // kUnavailable: no answer in time, or the connection broke.
  absl::StatusOr<Answer> Bind(const std::string& name, std::string_view password,
                              SteadyTime deadline);
  absl::StatusOr<SearchAnswer> Search(const Query& query, SteadyTime deadline);

  // An answer of more entries than were asked for, or of more than a few hundred continuations, is
  // kUnavailable, too.
  absl::StatusOr<Page> SearchPage(const PageQuery& query, SteadyTime deadline);

  bool usable() const { return usable_; }

 private:
  struct Callback;
  Connection(Watchdog& watchdog, std::string url);

  absl::Status Configure(const std::string& ca_file, SteadyTime deadline);
  absl::Status Connect(const std::string& ca_file, SteadyTime deadline);
  absl::Status Broken(std::string_view doing, int code, SteadyTime deadline);
  // Waits for the complete answer to request `id`, or for its next message alone.
  struct MessageFree;
  using Message = std::unique_ptr<ldapmsg, MessageFree>;
  absl::StatusOr<Message> Await(int id, std::string_view doing, SteadyTime deadline,
                                bool next_alone = false);
  absl::StatusOr<std::string> CookieOf(ldapmsg* message);
  struct ControlFree;
  using Control = std::unique_ptr<ldapcontrol, ControlFree>;
  absl::StatusOr<Control> PagedControl(const PageQuery& query, SteadyTime deadline);
  absl::StatusOr<Answer> ResultOf(ldapmsg* message);

  Watchdog& watchdog_;
  std::string url_;
  std::unique_ptr<Callback> callback_;  // libldap points to it as long as ldap_ lives.
  ldap* ldap_ = nullptr;
  bool usable_ = false;
};

}  // namespace devicetrust::directory
