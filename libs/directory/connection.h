// One libldap handle. Inside this library only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/directory/watchdog.h"

struct ldap;     // libldap's LDAP.
struct ldapmsg;  // libldap's LDAPMessage.

namespace devicetrust::directory {

struct Answer {
  int code = 0;  // LDAP result code.
  std::string diagnostic;
};

// Attribute name in lower case -> values (text or binary).
struct Entry {
  std::string distinguished_name;
  std::map<std::string, std::vector<std::string>, std::less<>> attributes;
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

  bool usable() const { return usable_; }

 private:
  struct Callback;
  Connection(Watchdog& watchdog, std::string url);

  absl::Status Configure(const std::string& ca_file, SteadyTime deadline);
  absl::Status Connect(const std::string& ca_file, SteadyTime deadline);
  absl::Status Broken(std::string_view doing, int code, SteadyTime deadline);
  // Waits for the complete answer to request `id`; null when there is none in time.
  struct MessageFree;
  using Message = std::unique_ptr<ldapmsg, MessageFree>;
  absl::StatusOr<Message> Await(int id, std::string_view doing, SteadyTime deadline);
  absl::StatusOr<Answer> ResultOf(ldapmsg* message);

  Watchdog& watchdog_;
  std::string url_;
  std::unique_ptr<Callback> callback_;  // libldap points to it as long as ldap_ lives.
  ldap* ldap_ = nullptr;
  bool usable_ = false;
};

}  // namespace devicetrust::directory
