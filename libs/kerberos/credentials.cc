#include "libs/kerberos/credentials.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>

#include "libs/kerberos/environment.h"
#include "libs/kerberos/handles.h"
#include "libs/kerberos/negotiate.h"

namespace devicetrust::kerberos {
namespace {

// libkrb5's handles need their context to be freed, and their thread's is not always there:
// credentials may be made on one thread and end on another. So each call below opens what it
// needs on its own thread's context, by name; the names are unique in the process.
std::string NewMemoryName() {
  static std::atomic<std::uint64_t> next = 0;
  return "MEMORY:dt-" + std::to_string(next.fetch_add(1));
}

// Frees a libkrb5 object with the context it was made with, on the same thread.
template <typename T, auto Free>
class KrbHandle {
 public:
  explicit KrbHandle(krb5_context context) : context_(context) {}
  ~KrbHandle() {
    if (handle_ != nullptr) Free(context_, handle_);
  }
  KrbHandle(const KrbHandle&) = delete;
  KrbHandle& operator=(const KrbHandle&) = delete;
  T get() const { return handle_; }
  T* out() { return &handle_; }

 private:
  krb5_context context_;
  T handle_ = nullptr;
};

using KrbPrincipal = KrbHandle<krb5_principal, &krb5_free_principal>;
using KrbKeytab = KrbHandle<krb5_keytab, &krb5_kt_close>;
using KrbCache = KrbHandle<krb5_ccache, &krb5_cc_close>;
using KrbOptions = KrbHandle<krb5_get_init_creds_opt*, &krb5_get_init_creds_opt_free>;
using KrbTicket = KrbHandle<krb5_creds*, &krb5_free_creds>;

// The contents of a krb5_creds, freed at the end of the scope.
struct KrbCreds {
  explicit KrbCreds(krb5_context context_in) : context(context_in) {}
  ~KrbCreds() { krb5_free_cred_contents(context, &value); }
  KrbCreds(const KrbCreds&) = delete;
  KrbCreds& operator=(const KrbCreds&) = delete;
  krb5_context context;
  krb5_creds value{};
};

void DestroyCache(const std::string& name) {
  krb5_context context = ThreadContext();
  krb5_ccache cache = nullptr;
  if (context != nullptr && krb5_cc_resolve(context, name.c_str(), &cache) == 0) {
    krb5_cc_destroy(context, cache);
  }
}

absl::Status Store(krb5_context context, const std::string& cache_name, krb5_principal principal,
                   krb5_creds& creds) {
  KrbCache cache(context);
  krb5_error_code code = krb5_cc_resolve(context, cache_name.c_str(), cache.out());
  if (code == 0) code = krb5_cc_initialize(context, cache.get(), principal);
  if (code == 0) code = krb5_cc_store_cred(context, cache.get(), &creds);
  return code == 0 ? absl::OkStatus() : KrbError(context, code, "credential cache");
}

std::span<const std::uint8_t> BytesOf(const krb5_data& data) {
  return {reinterpret_cast<const std::uint8_t*>(data.data), data.length};
}

// What differs between a key and a password: one call of libkrb5.
using GetTicket = std::function<krb5_error_code(krb5_context, krb5_principal,
                                                krb5_get_init_creds_opt*, krb5_creds*)>;

absl::Status GetInitialTicket(const std::string& name, int known_enctype, const GetTicket& get,
                              const std::string& cache_name, krb5_creds& ticket) {
  DT_RETURN_IF_ERROR(RequireConfig());
  krb5_context context = ThreadContext();
  if (context == nullptr) {
    return MakeFailure(Failure::kMisconfigured, "libkrb5 refuses the file that KRB5_CONFIG names");
  }
  KrbPrincipal principal(context);
  KrbOptions options(context);
  if (name.size() > 512 ||
      krb5_parse_name_flags(context, name.c_str(), KRB5_PRINCIPAL_PARSE_REQUIRE_REALM,
                            principal.out()) != 0) {
    return MakeFailure(Failure::kMalformed, fmt::format("\"{}\" is not a name@REALM", name));
  }
  krb5_error_code code = krb5_get_init_creds_opt_alloc(context, options.out());
  if (code != 0) return KrbError(context, code, name);
  // With the key's type known, the KDC need not be asked for it first: one round trip less.
  // The type stands first in the list; the session keys that KDC and services prefer follow.
  std::array<krb5_enctype, 3> enctypes = {known_enctype, ENCTYPE_AES256_CTS_HMAC_SHA1_96,
                                          ENCTYPE_AES128_CTS_HMAC_SHA1_96};
  std::array<krb5_preauthtype, 1> first = {KRB5_PADATA_ENC_TIMESTAMP};
  if (known_enctype != ENCTYPE_NULL) {
    krb5_get_init_creds_opt_set_etype_list(options.get(), enctypes.data(), enctypes.size());
    krb5_get_init_creds_opt_set_preauth_list(options.get(), first.data(), first.size());
  }
  code = get(context, principal.get(), options.get(), &ticket);
  if (code != 0) return KrbError(context, code, name);
  if (cache_name.empty()) return absl::OkStatus();
  return Store(context, cache_name, principal.get(), ticket);
}

// "HTTP/iwa.corp.test" -> with the realm of `principal`, unless it names one.
std::string WithRealm(std::string_view service, const std::string& principal) {
  std::string name(service);
  if (name.find('@') == std::string::npos) name += principal.substr(principal.rfind('@'));
  return name;
}

void AppendTicket(krb5_context context, const krb5_creds& creds, std::vector<Ticket>& tickets) {
  char* name = nullptr;
  if (krb5_is_config_principal(context, creds.server) != 0 ||
      krb5_unparse_name(context, creds.server, &name) != 0) {
    return;
  }
  const auto time = [](krb5_timestamp t) {
    return WallTime(std::chrono::seconds(static_cast<std::uint32_t>(t)));
  };
  tickets.push_back(
      {name, creds.keyblock.enctype, time(creds.times.starttime), time(creds.times.endtime)});
  krb5_free_unparsed_name(context, name);
}

// The ticket for a service, from the cache or else from the KDC.
absl::Status GetServiceTicket(krb5_context context, const std::string& cache_name,
                              const std::string& service, KrbTicket& ticket) {
  KrbCache cache(context);
  KrbPrincipal client(context);
  KrbPrincipal server(context);
  krb5_error_code code = krb5_cc_resolve(context, cache_name.c_str(), cache.out());
  if (code == 0) code = krb5_cc_get_principal(context, cache.get(), client.out());
  if (code == 0) code = krb5_parse_name(context, service.c_str(), server.out());
  if (code != 0) return KrbError(context, code, service);
  krb5_creds wanted{};
  wanted.client = client.get();
  wanted.server = server.get();
  code = krb5_get_credentials(context, 0, cache.get(), &wanted, ticket.out());
  return code == 0 ? absl::OkStatus() : KrbError(context, code, service);
}

}  // namespace

// Either a ticket-granting ticket in a cache, or the one ticket of an exchange that was for a
// service itself: that one is used from here, without the detour through a cache.
struct Credentials::State {
  std::string principal;
  std::string cache;
  std::string service;
  krb5_creds ticket{};
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (!cache.empty()) DestroyCache(cache);
    krb5_context context = ThreadContext();
    if (context != nullptr) krb5_free_cred_contents(context, &ticket);
  }
};

Credentials::Credentials(std::unique_ptr<State> state) : state_(std::move(state)) {}
Credentials::Credentials(Credentials&&) noexcept = default;
Credentials& Credentials::operator=(Credentials&&) noexcept = default;
Credentials::~Credentials() = default;

const std::string& Credentials::principal() const { return state_->principal; }

absl::StatusOr<Credentials> Credentials::FromKey(const std::string& principal, const Key& key,
                                                 const std::string& service) {
  auto state = std::make_unique<State>();
  state->principal = principal;
  if (service.empty()) state->cache = NewMemoryName();
  const std::string keytab_name = NewMemoryName();
  const auto get = [&](krb5_context context, krb5_principal client,
                       krb5_get_init_creds_opt* options, krb5_creds* creds) {
    KrbKeytab keytab(context);  // Gone with its last handle.
    krb5_error_code code = krb5_kt_resolve(context, keytab_name.c_str(), keytab.out());
    if (code != 0) return code;
    krb5_keytab_entry entry{};
    entry.principal = client;
    entry.vno = key.kvno;
    entry.key.enctype = key.enctype;
    entry.key.length = static_cast<unsigned>(key.bytes.size());
    entry.key.contents = const_cast<krb5_octet*>(key.bytes.data());  // Copied by the call.
    code = krb5_kt_add_entry(context, keytab.get(), &entry);
    if (code != 0) return code;
    return krb5_get_init_creds_keytab(context, creds, client, keytab.get(), 0,
                                      service.empty() ? nullptr : service.c_str(), options);
  };
  DT_RETURN_IF_ERROR(GetInitialTicket(principal, key.enctype, get, state->cache, state->ticket));
  if (!service.empty()) state->service = WithRealm(service, principal);
  return Credentials(std::move(state));
}

absl::StatusOr<Credentials> Credentials::FromPassword(const std::string& principal,
                                                      const std::string& password) {
  auto state = std::make_unique<State>();
  state->principal = principal;
  state->cache = NewMemoryName();
  const auto get = [&](krb5_context context, krb5_principal client,
                       krb5_get_init_creds_opt* options, krb5_creds* creds) {
    return krb5_get_init_creds_password(context, creds, client, password.c_str(), nullptr, nullptr,
                                        0, nullptr, options);
  };
  DT_RETURN_IF_ERROR(GetInitialTicket(principal, ENCTYPE_NULL, get, state->cache, state->ticket));
  return Credentials(std::move(state));
}

absl::StatusOr<Credentials> Credentials::FromKeytab(const std::string& path,
                                                    const std::string& principal) {
  auto state = std::make_unique<State>();
  state->principal = principal;
  state->cache = NewMemoryName();
  const auto get = [&](krb5_context context, krb5_principal client,
                       krb5_get_init_creds_opt* options, krb5_creds* creds) {
    KrbKeytab keytab(context);
    const krb5_error_code code = krb5_kt_resolve(context, ("FILE:" + path).c_str(), keytab.out());
    if (code != 0) return code;
    return krb5_get_init_creds_keytab(context, creds, client, keytab.get(), 0, nullptr, options);
  };
  DT_RETURN_IF_ERROR(GetInitialTicket(principal, ENCTYPE_NULL, get, state->cache, state->ticket));
  return Credentials(std::move(state));
}

absl::StatusOr<Credentials> Credentials::FromCache(const std::string& name) {
  DT_ASSIGN_OR_RETURN(std::string principal, PrincipalOfCache(name));
  krb5_context context = ThreadContext();
  auto state = std::make_unique<State>();
  state->principal = std::move(principal);
  state->cache = NewMemoryName();
  KrbCache from(context);
  KrbCache to(context);
  KrbPrincipal owner(context);
  krb5_error_code code = krb5_cc_resolve(context, name.c_str(), from.out());
  if (code == 0) code = krb5_cc_get_principal(context, from.get(), owner.out());
  if (code == 0) code = krb5_cc_resolve(context, state->cache.c_str(), to.out());
  if (code == 0) code = krb5_cc_initialize(context, to.get(), owner.get());
  if (code == 0) code = krb5_cc_copy_creds(context, from.get(), to.get());
  if (code != 0) return KrbError(context, code, "credential cache " + name);
  return Credentials(std::move(state));
}

absl::StatusOr<std::string> PrincipalOfCache(const std::string& name) {
  DT_RETURN_IF_ERROR(RequireConfig());
  krb5_context context = ThreadContext();
  if (context == nullptr) {
    return MakeFailure(Failure::kMisconfigured, "libkrb5 refuses the file that KRB5_CONFIG names");
  }
  KrbCache cache(context);
  KrbPrincipal owner(context);
  krb5_error_code code = krb5_cc_resolve(context, name.c_str(), cache.out());
  if (code == 0) code = krb5_cc_get_principal(context, cache.get(), owner.out());
  char* text = nullptr;
  if (code == 0) code = krb5_unparse_name(context, owner.get(), &text);
  if (code != 0) {
    return MakeFailure(Failure::kTicketExpired,
                       fmt::format("no tickets in {}: log on to the domain, or run kinit", name));
  }
  std::string principal = text;
  krb5_free_unparsed_name(context, text);
  return principal;
}

std::optional<std::string> AccountOf(const std::string& principal) {
  if (!RequireConfig().ok()) return std::nullopt;
  krb5_context context = ThreadContext();
  if (context == nullptr) return std::nullopt;
  KrbPrincipal name(context);
  std::array<char, 256> account{};
  if (krb5_parse_name(context, principal.c_str(), name.out()) != 0 ||
      krb5_aname_to_localname(context, name.get(), static_cast<int>(account.size()) - 1,
                              account.data()) != 0) {
    return std::nullopt;
  }
  return std::string(account.data());
}

absl::StatusOr<std::string> ComputerOf(const std::string& path) {
  DT_RETURN_IF_ERROR(RequireConfig());
  krb5_context context = ThreadContext();
  if (context == nullptr) {
    return MakeFailure(Failure::kMisconfigured, "libkrb5 refuses the file that KRB5_CONFIG names");
  }
  KrbKeytab keytab(context);
  krb5_kt_cursor cursor{};
  krb5_error_code code = krb5_kt_resolve(context, ("FILE:" + path).c_str(), keytab.out());
  if (code == 0) code = krb5_kt_start_seq_get(context, keytab.get(), &cursor);
  if (code != 0) {
    return MakeFailure(Failure::kUnknownAccount,
                       fmt::format("the computer's keytab {} cannot be read", path));
  }
  std::string found;
  krb5_keytab_entry entry{};
  while (found.empty() && krb5_kt_next_entry(context, keytab.get(), &entry, &cursor) == 0) {
    char* text = nullptr;
    if (krb5_unparse_name(context, entry.principal, &text) == 0) {
      const std::string principal = text;
      krb5_free_unparsed_name(context, text);
      if (principal.find("$@") != std::string::npos) found = principal;
    }
    krb5_free_keytab_entry_contents(context, &entry);
  }
  krb5_kt_end_seq_get(context, keytab.get(), &cursor);
  if (!found.empty()) return found;
  return MakeFailure(Failure::kUnknownAccount,
                     fmt::format("{} has no key of a computer (NAME$@REALM)", path));
}

std::vector<Ticket> Credentials::tickets() const {
  std::vector<Ticket> tickets;
  krb5_context context = ThreadContext();
  if (context == nullptr) return tickets;
  if (state_->cache.empty()) {
    AppendTicket(context, state_->ticket, tickets);
    return tickets;
  }
  KrbCache cache(context);
  krb5_cc_cursor cursor = nullptr;
  if (krb5_cc_resolve(context, state_->cache.c_str(), cache.out()) != 0 ||
      krb5_cc_start_seq_get(context, cache.get(), &cursor) != 0) {
    return tickets;
  }
  for (;;) {
    KrbCreds creds(context);
    if (krb5_cc_next_cred(context, cache.get(), &cursor, &creds.value) != 0) break;
    AppendTicket(context, creds.value, tickets);
  }
  krb5_cc_end_seq_get(context, cache.get(), &cursor);
  return tickets;
}

struct Initiator::State {
  krb5_auth_context exchange = nullptr;
  Bytes token;
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    krb5_context context = ThreadContext();
    if (context != nullptr) krb5_auth_con_free(context, exchange);
  }
};

Initiator::Initiator(std::unique_ptr<State> state) : state_(std::move(state)) {}
Initiator::Initiator(Initiator&&) noexcept = default;
Initiator& Initiator::operator=(Initiator&&) noexcept = default;
Initiator::~Initiator() = default;

const Bytes& Initiator::token() const { return state_->token; }

// With libkrb5 rather than GSSAPI, which opens eight krb5 contexts for one exchange. GSSAPI is
// what accepts it.
absl::StatusOr<Initiator> Initiator::Start(const Credentials& credentials, std::string_view service,
                                           const Bindings& bindings) {
  krb5_context context = ThreadContext();
  if (context == nullptr) {
    return MakeFailure(Failure::kMisconfigured, "libkrb5 refuses the file that KRB5_CONFIG names");
  }
  const std::string name = WithRealm(service, credentials.principal());
  Credentials::State& from = *credentials.state_;
  KrbTicket fetched(context);
  if (from.cache.empty() && name != from.service) {
    return MakeFailure(Failure::kUnknownService,
                       fmt::format("{} holds a ticket for {} alone", from.principal, from.service));
  }
  if (!from.cache.empty()) {
    DT_RETURN_IF_ERROR(GetServiceTicket(context, from.cache, name, fetched));
  }
  krb5_creds* const ticket = from.cache.empty() ? &from.ticket : fetched.get();
  auto checksum = GssChecksum(bindings);
  if (!checksum) return MakeFailure(Failure::kMisconfigured, "libkrb5 refuses to make an MD5");

  auto state = std::make_unique<State>();
  krb5_error_code code = krb5_auth_con_init(context, &state->exchange);
  if (code == 0) {
    krb5_auth_con_setflags(context, state->exchange, KRB5_AUTH_CONTEXT_DO_SEQUENCE);
    code = krb5_auth_con_set_req_cksumtype(context, state->exchange, kGssChecksum);
  }
  krb5_data content{KV5M_DATA, static_cast<unsigned>(checksum->size()),
                    reinterpret_cast<char*>(checksum->data())};
  krb5_data ap_req{};
  if (code == 0) {
    code = krb5_mk_req_extended(context, &state->exchange,
                                AP_OPTS_MUTUAL_REQUIRED | AP_OPTS_USE_SUBKEY, &content, ticket,
                                &ap_req);
  }
  if (code != 0) {
    return KrbError(context, code, fmt::format("{} for {}", credentials.principal(), name));
  }
  state->token = NegTokenInit(BytesOf(ap_req));
  krb5_free_data_contents(context, &ap_req);
  return Initiator(std::move(state));
}

absl::Status Initiator::Finish(std::span<const std::uint8_t> reply) {
  krb5_context context = ThreadContext();
  const auto ap_rep = ApRepOf(reply);
  std::string why = "the reply completes no exchange with Kerberos";
  if (context != nullptr && ap_rep) {
    const gss_buffer_desc borrowed = Borrow(*ap_rep);
    const krb5_data data{KV5M_DATA, static_cast<unsigned>(borrowed.length),
                         static_cast<char*>(borrowed.value)};
    krb5_ap_rep_enc_part* proof = nullptr;
    const krb5_error_code code = krb5_rd_rep(context, state_->exchange, &data, &proof);
    if (code == 0) {
      krb5_free_ap_rep_enc_part(context, proof);
      return absl::OkStatus();
    }
    const absl::Status cause = KrbError(context, code, "reply refused");
    why.assign(cause.message().data(), cause.message().size());
  }
  return MakeFailure(Failure::kTicketInvalid, "the service did not prove its name: " + why);
}

}  // namespace devicetrust::kerberos
