#include "libs/directory/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <ldap.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "libs/base/ascii.h"

namespace devicetrust::directory {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

// ldap.conf, ~/.ldaprc and LDAP* variables of the environment would change what we
// trust. libldap reads LDAPNOINIT once, at its first call: made here, before main,
// because setenv is safe only while there is one thread. Restored, for the children
// of this process may want those files.
const bool kConfigFilesIgnored = [] {
  const bool was_set = std::getenv("LDAPNOINIT") != nullptr;
  setenv("LDAPNOINIT", "1", 1);
  int ignored = 0;
  ldap_get_option(nullptr, LDAP_OPT_PROTOCOL_VERSION, &ignored);
  if (!was_set) unsetenv("LDAPNOINIT");
  return true;
}();

timeval TimeLeft(SteadyTime deadline) {
  const auto left =
      std::max(duration_cast<microseconds>(deadline - std::chrono::steady_clock::now()),
               microseconds{1000});  // Zero would mean "poll" or "for ever".
  return {static_cast<time_t>(left.count() / 1'000'000),
          static_cast<suseconds_t>(left.count() % 1'000'000)};
}

struct MemFree {
  void operator()(char* text) const noexcept { ldap_memfree(text); }
};
using Text = std::unique_ptr<char, MemFree>;

struct ValuesFree {
  // Only the list is ours: the values lie in the message.
  void operator()(berval* values) const noexcept { ber_memfree(values); }
};
using Values = std::unique_ptr<berval, ValuesFree>;

struct ControlsFree {
  void operator()(LDAPControl** controls) const noexcept { ldap_controls_free(controls); }
};

constexpr std::size_t kContinuationsMax = 256;  // Of one page; a few are usual.
constexpr ber_len_t kMessageBytesMax = 16 << 20;
constexpr const char* kShowDeletedOid = "1.2.840.113556.1.4.417";

struct CursorFree {
  void operator()(BerElement* cursor) const noexcept { ber_free(cursor, 0); }
};

std::string DiagnosticOf(LDAP* handle) {
  char* raw = nullptr;
  ldap_get_option(handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &raw);
  const Text text(raw);
  return text == nullptr ? std::string() : std::string(text.get());
}

// One pass over the message, copying values only into the result.
Entry ReadEntry(LDAP* handle, LDAPMessage* message) {
  Entry entry;
  berval dn{};
  BerElement* raw = nullptr;
  const int code = ldap_get_dn_ber(handle, message, &raw, &dn);
  const std::unique_ptr<BerElement, CursorFree> cursor(raw);
  if (code != LDAP_SUCCESS) return entry;
  entry.distinguished_name.assign(dn.bv_val, dn.bv_len);
  for (;;) {
    berval name{};
    BerVarray list = nullptr;
    const int read = ldap_get_attribute_ber(handle, message, cursor.get(), &name, &list);
    const Values values(list);
    if (read != LDAP_SUCCESS || name.bv_val == nullptr) return entry;
    std::vector<std::string>& out = entry.attributes[LowerCase({name.bv_val, name.bv_len})];
    for (const berval* value = list; value != nullptr && value->bv_val != nullptr; ++value) {
      out.emplace_back(value->bv_val, value->bv_len);
    }
  }
}

}  // namespace

// libldap calls Added with the connected socket, before the TLS handshake. It closes
// that descriptor whenever it likes, so we keep a duplicate: shutdown() of it always
// hits this socket and never a later file of the same number.
struct Connection::Callback {
  ldap_conncb hook{&Added, &Removed, this};
  Watchdog::Guard* opening = nullptr;
  int fd = -1;

  ~Callback() { Close(); }
  void Close() {
    if (fd >= 0) close(std::exchange(fd, -1));
  }

  static int Added(LDAP*, Sockbuf* socket, LDAPURLDesc*, sockaddr*, ldap_conncb* context) noexcept {
    auto* self = static_cast<Callback*>(context->lc_arg);
    int given = -1;
    ber_sockbuf_ctrl(socket, LBER_SB_OPT_GET_FD, &given);
    self->Close();
    self->fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
    if (self->fd < 0) return -1;  // Unwatched, it could hang: do not connect.
    if (self->opening != nullptr) self->opening->Watch(self->fd);
    return 0;
  }
  static void Removed(LDAP*, Sockbuf*, ldap_conncb*) noexcept {}
};

struct Connection::ControlFree {
  void operator()(ldapcontrol* control) const noexcept { ldap_control_free(control); }
};

struct Connection::MessageFree {
  void operator()(ldapmsg* message) const noexcept { ldap_msgfree(message); }
};

Connection::Connection(Watchdog& watchdog, std::string url)
    : watchdog_(watchdog), url_(std::move(url)), callback_(std::make_unique<Callback>()) {}

Connection::~Connection() {
  if (ldap_ == nullptr) return;
  // The last words (unbind, TLS close) go to a peer that may not read them.
  if (!usable_ && callback_->fd >= 0) shutdown(callback_->fd, SHUT_RDWR);
  const Watchdog::Guard guard(watchdog_, std::chrono::steady_clock::now() + std::chrono::seconds{1},
                              callback_->fd);
  ldap_unbind_ext(ldap_, nullptr, nullptr);
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& url,
                                                             const std::string& ca_file,
                                                             Watchdog& watchdog,
                                                             SteadyTime deadline) {
  std::unique_ptr<Connection> connection(new Connection(watchdog, url));
  if (const int code = ldap_initialize(&connection->ldap_, url.c_str()); code != LDAP_SUCCESS) {
    return absl::InvalidArgumentError(fmt::format("LDAP URL {}: {}", url, ldap_err2string(code)));
  }
  DT_RETURN_IF_ERROR(connection->Configure(ca_file, deadline));
  DT_RETURN_IF_ERROR(connection->Connect(ca_file, deadline));
  connection->usable_ = true;
  return connection;
}

absl::Status Connection::Configure(const std::string& ca_file, SteadyTime deadline) {
  const int version = LDAP_VERSION3;
  const int demand = LDAP_OPT_X_TLS_DEMAND;
  const int tls_min = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
  const int as_client = 0;
  const timeval timeout = TimeLeft(deadline);
  const auto set = [this](int option, const void* value) {
    return ldap_set_option(ldap_, option, value) == LDAP_OPT_SUCCESS;
  };
  const bool ok = set(LDAP_OPT_PROTOCOL_VERSION, &version) &&
                  set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF) &&  // They would carry passwords elsewhere.
                  set(LDAP_OPT_NETWORK_TIMEOUT, &timeout) && set(LDAP_OPT_TIMEOUT, &timeout) &&
                  set(LDAP_OPT_X_TLS_CACERTFILE, ca_file.c_str()) &&
                  set(LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) &&
                  set(LDAP_OPT_X_TLS_PROTOCOL_MIN, &tls_min);
  // Builds the TLS context from the options above, so it comes last and is where an
  // unreadable CA file shows.
  if (!ok || !set(LDAP_OPT_X_TLS_NEWCTX, &as_client)) {
    return absl::FailedPreconditionError(
        fmt::format("LDAP CA file {} cannot be used: missing, empty or not PEM", ca_file));
  }
  set(LDAP_OPT_CONNECT_CB, &callback_->hook);
  return absl::OkStatus();
}

absl::Status Connection::Connect(const std::string& ca_file, SteadyTime deadline) {
  Watchdog::Guard guard(watchdog_, deadline);
  callback_->opening = &guard;
  const int code =
      url_.starts_with("ldap://") ? ldap_start_tls_s(ldap_, nullptr, nullptr) : ldap_connect(ldap_);
  callback_->opening = nullptr;
  Sockbuf* socket = nullptr;
  if (code == LDAP_SUCCESS && ldap_get_option(ldap_, LDAP_OPT_SOCKBUF, &socket) == 0) {
    ber_len_t bytes_max = kMessageBytesMax;  // Else as many as a peer claims.
    ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_MAX_INCOMING, &bytes_max);
  }
  if (code == LDAP_SUCCESS) return absl::OkStatus();
  if (std::chrono::steady_clock::now() >= deadline) {
    return absl::UnavailableError(fmt::format("directory {} did not answer in time", url_));
  }
  return absl::UnavailableError(fmt::format(
      "directory {} cannot be reached, or its TLS certificate is not signed by {}: {} {}", url_,
      ca_file, ldap_err2string(code), DiagnosticOf(ldap_)));
}

absl::Status Connection::Broken(std::string_view doing, int code, SteadyTime deadline) {
  usable_ = false;
  // The watchdog ends the connection at its deadline, and libldap calls that a server that is down.
  if (std::chrono::steady_clock::now() >= deadline) code = LDAP_TIMEOUT;
  return absl::UnavailableError(
      fmt::format("directory {}, {}: {}", url_, doing, ldap_err2string(code)));
}

absl::StatusOr<Connection::Message> Connection::Await(int id, std::string_view doing,
                                                      SteadyTime deadline, bool next_alone) {
  timeval timeout = TimeLeft(deadline);
  LDAPMessage* raw = nullptr;
  const int type = ldap_result(ldap_, id, next_alone ? LDAP_MSG_ONE : LDAP_MSG_ALL, &timeout, &raw);
  Message message(raw);
  if (type > 0 && message != nullptr) return message;
  int code = LDAP_TIMEOUT;
  if (type != 0) ldap_get_option(ldap_, LDAP_OPT_RESULT_CODE, &code);
  return Broken(doing, code, deadline);
}

absl::StatusOr<Answer> Connection::ResultOf(ldapmsg* message) {
  Answer answer;
  char* raw = nullptr;
  const int code =
      ldap_parse_result(ldap_, message, &answer.code, nullptr, &raw, nullptr, nullptr, 0);
  const Text diagnostic(raw);
  if (code != LDAP_SUCCESS) return Broken("malformed answer", code, SteadyTime::max());
  if (diagnostic != nullptr) answer.diagnostic = diagnostic.get();
  return answer;
}

absl::StatusOr<Answer> Connection::Bind(const std::string& name, std::string_view password,
                                        SteadyTime deadline) {
  const Watchdog::Guard guard(watchdog_, deadline, callback_->fd);
  berval credentials{password.size(), const_cast<char*>(password.data())};  // Only read.
  int id = 0;
  if (const int code = ldap_sasl_bind(ldap_, name.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr,
                                      nullptr, &id);
      code != LDAP_SUCCESS) {
    return Broken("bind", code, deadline);
  }
  DT_ASSIGN_OR_RETURN(const Message message, Await(id, "bind", deadline));
  return ResultOf(message.get());
}

absl::StatusOr<SearchAnswer> Connection::Search(const Query& query, SteadyTime deadline) {
  const Watchdog::Guard guard(watchdog_, deadline, callback_->fd);
  timeval timeout = TimeLeft(deadline);
  // libldap takes the list without const and only reads it.
  auto** attributes = const_cast<char**>(query.attributes.data());
  int id = 0;
  if (const int code =
          ldap_search_ext(ldap_, query.base.c_str(), LDAP_SCOPE_SUBTREE, query.filter.c_str(),
                          attributes, 0, nullptr, nullptr, &timeout, query.entries_max, &id);
      code != LDAP_SUCCESS) {
    return Broken("search", code, deadline);
  }
  DT_ASSIGN_OR_RETURN(const Message message, Await(id, "search", deadline));
  SearchAnswer answer;
  for (LDAPMessage* item = ldap_first_message(ldap_, message.get()); item != nullptr;
       item = ldap_next_message(ldap_, item)) {
    if (ldap_msgtype(item) == LDAP_RES_SEARCH_ENTRY) {
      answer.entries.push_back(ReadEntry(ldap_, item));
    } else if (ldap_msgtype(item) == LDAP_RES_SEARCH_RESULT) {
      DT_ASSIGN_OR_RETURN(answer.result, ResultOf(item));
    }
  }
  return answer;
}

absl::StatusOr<std::string> Connection::CookieOf(ldapmsg* message) {
  LDAPControl** raw = nullptr;
  const int code = ldap_parse_result(ldap_, message, nullptr, nullptr, nullptr, nullptr, &raw, 0);
  const std::unique_ptr<LDAPControl*, ControlsFree> controls(raw);
  if (code != LDAP_SUCCESS) return Broken("malformed answer", code, SteadyTime::max());
  LDAPControl* const paged = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, raw, nullptr);
  if (paged == nullptr) return std::string();
  ber_int_t estimate = 0;
  berval cookie{};
  if (const int parsed = ldap_parse_pageresponse_control(ldap_, paged, &estimate, &cookie);
      parsed != LDAP_SUCCESS) {
    return Broken("malformed page control", parsed, SteadyTime::max());
  }
  const Text memory(cookie.bv_val);
  return std::string(cookie.bv_val == nullptr ? "" : cookie.bv_val, cookie.bv_len);
}

absl::StatusOr<Connection::Control> Connection::PagedControl(const PageQuery& query,
                                                             SteadyTime deadline) {
  if (query.base_only) return Control();  // One entry needs no pages.
  berval cookie{query.cookie.size(), const_cast<char*>(query.cookie.data())};  // Only read.
  LDAPControl* raw = nullptr;
  if (const int code = ldap_create_page_control(ldap_, kPageEntries,
                                                query.cookie.empty() ? nullptr : &cookie, 1, &raw);
      code != LDAP_SUCCESS) {
    return Broken("page control", code, deadline);
  }
  return Control(raw);
}

absl::StatusOr<Page> Connection::SearchPage(const PageQuery& query, SteadyTime deadline) {
  const Watchdog::Guard guard(watchdog_, deadline, callback_->fd);
  timeval timeout = TimeLeft(deadline);
  DT_ASSIGN_OR_RETURN(const Control paged, PagedControl(query, deadline));
  LDAPControl show_deleted{const_cast<char*>(kShowDeletedOid), {0, nullptr}, 1};
  std::vector<LDAPControl*> controls;
  if (paged != nullptr) controls.push_back(paged.get());
  if (query.deleted) controls.push_back(&show_deleted);
  controls.push_back(nullptr);
  auto** attributes = const_cast<char**>(query.attributes.data());
  int id = 0;
  if (const int code = ldap_search_ext(
          ldap_, query.base.c_str(), query.base_only ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
          query.filter.c_str(), attributes, 0, controls.data(), nullptr, &timeout, 0, &id);
      code != LDAP_SUCCESS) {
    return Broken("search", code, deadline);
  }
  Page page;
  for (;;) {  // One message at a time, so that no answer without end is kept.
    DT_ASSIGN_OR_RETURN(const Message message, Await(id, "list", deadline, /*next_alone=*/true));
    const int type = ldap_msgtype(message.get());
    if (type == LDAP_RES_SEARCH_RESULT) {
      DT_ASSIGN_OR_RETURN(page.result, ResultOf(message.get()));
      if (page.result.code != LDAP_SUCCESS) return page;
      DT_ASSIGN_OR_RETURN(page.cookie, CookieOf(message.get()));
      return page;
    }
    if (type == LDAP_RES_SEARCH_ENTRY) page.entries.push_back(ReadEntry(ldap_, message.get()));
    if (type == LDAP_RES_SEARCH_REFERENCE) ++page.continuations;
    if (page.entries.size() > static_cast<std::size_t>(kPageEntries) ||
        page.continuations > kContinuationsMax) {
      usable_ = false;
      return absl::UnavailableError(fmt::format(
          "directory {}: a page of more entries or referrals than were asked for", url_));
    }
  }
}

}  // namespace devicetrust::directory
