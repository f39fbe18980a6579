#include "libs/kerberos/acceptor.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "absl/strings/match.h"
#include "libs/base/ascii.h"
#include "libs/base/log.h"
#include "libs/base/mutex.h"
#include "libs/kerberos/environment.h"
#include "libs/kerberos/handles.h"
#include "libs/kerberos/pac.h"

namespace devicetrust::kerberos {
namespace {

constexpr std::uint32_t kWorkstationTrust = 0x80;  // MS-SAMR 2.2.1.12.
constexpr std::uint32_t kServerTrust = 0x100;

absl::Status Unusable(krb5_context context, krb5_error_code code, const std::string& keytab) {
  const absl::Status cause = KrbError(context, code, "keytab " + keytab);
  return MakeFailure(Failure::kMisconfigured, {cause.message().data(), cause.message().size()});
}

// The file's keys, in a keytab in memory that lives as long as this does: GSSAPI would open,
// lock and read the file twice for every ticket.
class Keys {
 public:
  static absl::StatusOr<std::shared_ptr<const Keys>> Load(const std::string& path,
                                                          const std::string& service) {
    static std::atomic<std::uint64_t> next = 0;
    auto keys = std::make_shared<Keys>();
    keys->name_ = "MEMORY:dt-acceptor-" + std::to_string(next.fetch_add(1));
    if (krb5_init_context(&keys->context_) != 0) {
      return MakeFailure(Failure::kMisconfigured,
                         "libkrb5 refuses the file that KRB5_CONFIG names");
    }
    krb5_error_code code = krb5_kt_resolve(keys->context_, keys->name_.c_str(), &keys->keytab_);
    int copied = 0;
    if (code == 0) code = Copy(keys->context_, "FILE:" + path, service, keys->keytab_, copied);
    if (code != 0) return Unusable(keys->context_, code, path);
    if (!service.empty() && copied == 0) {
      return MakeFailure(Failure::kMisconfigured,
                         fmt::format("keytab {} holds no key of {}", path, service));
    }
    return keys;
  }
  Keys() = default;
  ~Keys() {
    if (keytab_ != nullptr) krb5_kt_close(context_, keytab_);
    if (context_ != nullptr) krb5_free_context(context_);
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;
  const std::string& name() const { return name_; }

 private:
  static bool IsOf(krb5_context context, krb5_const_principal principal,
                   const std::string& service) {
    char* name = nullptr;
    if (krb5_unparse_name_flags(context, principal, KRB5_PRINCIPAL_UNPARSE_NO_REALM, &name) != 0) {
      return false;
    }
    const bool same = EqualIgnoringCase(name, service);
    krb5_free_unparsed_name(context, name);
    return same;
  }

  static krb5_error_code Copy(krb5_context context, const std::string& from,
                              const std::string& service, krb5_keytab to, int& copied) {
    krb5_keytab file = nullptr;
    krb5_error_code code = krb5_kt_resolve(context, from.c_str(), &file);
    if (code != 0) return code;
    krb5_kt_cursor cursor{};
    code = krb5_kt_start_seq_get(context, file, &cursor);
    if (code == 0) {
      krb5_keytab_entry entry{};
      while ((code = krb5_kt_next_entry(context, file, &entry, &cursor)) == 0) {
        if (service.empty() || IsOf(context, entry.principal, service)) {
          code = krb5_kt_add_entry(context, to, &entry);
          ++copied;
        }
        krb5_free_keytab_entry_contents(context, &entry);
        if (code != 0) break;
      }
      if (code == KRB5_KT_END) code = 0;
      krb5_kt_end_seq_get(context, file, &cursor);
    }
    krb5_kt_close(context, file);
    return code;
  }

  std::string name_;
  krb5_context context_ = nullptr;
  krb5_keytab keytab_ = nullptr;
};

// A credential, and the keys that it takes by name.
struct AcceptorCredential {
  std::shared_ptr<const Keys> keys;
  GssCredential gss;
};

// libkrb5 locks a replay cache for each ticket and searches longer the more are in it. A ticket
// that must be bound is accepted for its own bindings alone, so one that comes again comes to the
// same part; one that need not be comes again under any.
constexpr std::size_t kReplayCacheParts = 16;
std::size_t PartOf(const AcceptorConfig& config, const Bindings& bindings) {
  if (config.binding == AcceptorConfig::Binding::kWhenGiven) return 0;
  return std::accumulate(bindings.begin(), bindings.end(), std::size_t{0}) % kReplayCacheParts;
}

absl::StatusOr<AcceptorCredential> AcquireAcceptor(const AcceptorConfig& config,
                                                   std::shared_ptr<const Keys> keys,
                                                   std::size_t part) {
  const std::string cache = fmt::format("file2:{}.{:x}", config.replay_cache, part);
  std::array<gss_key_value_element_desc, 2> elements = {
      {{"keytab", keys->name().c_str()}, {"rcache", cache.c_str()}}};
  const gss_key_value_set_desc store = {elements.size(), elements.data()};
  gss_OID_set_desc mechanisms = {1, SpnegoMechanism()};
  AcceptorCredential credential{std::move(keys), {}};
  OM_uint32 minor = 0;
  const OM_uint32 major =
      gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms, GSS_C_ACCEPT,
                            &store, credential.gss.out(), nullptr, nullptr);
  if (major == GSS_S_COMPLETE) return credential;
  const absl::Status cause = GssError(major, minor, "keytab " + config.keytab);
  return MakeFailure(Failure::kMisconfigured, {cause.message().data(), cause.message().size()});
}

// Changes when the file is written or replaced.
struct FileVersion {
  ino_t inode = 0;
  off_t size = 0;
  timespec written{};
  static FileVersion Of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return {};
    return {info.st_ino, info.st_size, info.st_mtim};
  }
  bool operator==(const FileVersion& other) const {
    return inode == other.inode && size == other.size && written.tv_sec == other.written.tv_sec &&
           written.tv_nsec == other.written.tv_nsec;
  }
};

// "HTTP/host\@x@REALM" -> name and realm, at the last '@' that no backslash precedes.
absl::Status SplitPrincipal(std::string_view principal, Identity& identity) {
  identity.principal = std::string(principal);
  std::size_t at = std::string_view::npos;
  for (std::size_t i = 0; i < principal.size(); ++i) {
    if (principal[i] == '\\') {
      ++i;
    } else if (principal[i] == '@') {
      at = i;
    }
  }
  if (at == std::string_view::npos || at == 0 || at + 1 == principal.size()) {
    return MakeFailure(Failure::kTicketInvalid, "the ticket names no principal with a realm");
  }
  identity.name = std::string(principal.substr(0, at));
  identity.realm = std::string(principal.substr(at + 1));
  return absl::OkStatus();
}

void AddGroups(const LogonInfo& info, Identity& identity) {
  identity.group_sids.push_back(info.domain_sid.Child(info.primary_group_rid).ToString());
  for (const std::uint32_t rid : info.group_rids) {
    if (rid == info.primary_group_rid) continue;
    identity.group_sids.push_back(info.domain_sid.Child(rid).ToString());
  }
  for (const Sid& sid : info.extra_sids) identity.group_sids.push_back(sid.ToString());
  for (const std::uint32_t rid : info.resource_group_rids) {
    identity.group_sids.push_back(info.resource_domain_sid.Child(rid).ToString());
  }
}

// The name of the keytab's entry whose key opened the ticket, whatever the ticket says.
absl::StatusOr<std::string> ServiceRealmOf(gss_ctx_id_t context) {
  OM_uint32 minor = 0;
  GssName target;
  OM_uint32 major = gss_inquire_context(&minor, context, nullptr, target.out(), nullptr, nullptr,
                                        nullptr, nullptr, nullptr);
  if (major != GSS_S_COMPLETE) return GssError(major, minor, "service of the ticket");
  GssBuffer name;
  major = gss_display_name(&minor, target.get(), name.out(), nullptr);
  if (major != GSS_S_COMPLETE) return GssError(major, minor, "service name");
  Identity service;
  DT_RETURN_IF_ERROR(SplitPrincipal(name.text(), service));
  return std::move(service.realm);
}

absl::StatusOr<Identity> IdentityOf(gss_name_t source) {
  Identity identity;
  OM_uint32 minor = 0;
  GssBuffer name;
  OM_uint32 major = gss_display_name(&minor, source, name.out(), nullptr);
  if (major != GSS_S_COMPLETE) return GssError(major, minor, "client name");
  DT_RETURN_IF_ERROR(SplitPrincipal(name.text(), identity));

  GssBuffer value;
  GssBuffer display;
  int authenticated = 0;
  int complete = 0;
  int more = -1;
  gss_buffer_desc attribute = Borrow("urn:mspac:logon-info");
  major = gss_get_name_attribute(&minor, source, &attribute, &authenticated, &complete, value.out(),
                                 display.out(), &more);
  if (major != GSS_S_COMPLETE || authenticated == 0) {
    return MakeFailure(Failure::kTicketInvalid,
                       fmt::format("the ticket of {} carries no signed PAC, so it proves no "
                                   "account of a domain",
                                   identity.principal));
  }
  const absl::StatusOr<LogonInfo> info = DecodeLogonInfo(value.bytes());
  if (!info.ok()) {
    return MakeFailure(Failure::kTicketInvalid,
                       {info.status().message().data(), info.status().message().size()});
  }
  identity.domain_sid = info->domain_sid.ToString();
  identity.account_sid = info->domain_sid.Child(info->rid).ToString();
  identity.user_account_control = info->user_account_control;
  identity.is_computer = (info->user_account_control & (kWorkstationTrust | kServerTrust)) != 0;
  AddGroups(*info, identity);
  return identity;
}

absl::Status CheckNotDelegated(gss_ctx_id_t context, gss_name_t source) {
  OM_uint32 minor = 0;
  krb5_flags flags = 0;
  const OM_uint32 major = gss_krb5_get_tkt_flags(&minor, context, &flags);
  if (major != GSS_S_COMPLETE) return GssError(major, minor, "flags of the ticket");
  if ((flags & (TKT_FLG_FORWARDED | TKT_FLG_PROXY)) != 0) {
    return MakeFailure(Failure::kTicketInvalid, "the ticket was forwarded, or is a proxy's");
  }
  GssBuffer value;
  GssBuffer display;
  int authenticated = 0;
  int complete = 0;
  int more = -1;
  gss_buffer_desc attribute = Borrow("urn:mspac:delegation-info");
  if (gss_get_name_attribute(&minor, source, &attribute, &authenticated, &complete, value.out(),
                             display.out(), &more) == GSS_S_COMPLETE) {
    return MakeFailure(Failure::kTicketInvalid,
                       "a service asked for the ticket in a person's name");
  }
  return absl::OkStatus();
}

// Not the ticket's: libkrb5 reports what the system says of the replay cache's file, and of its
// number SPNEGO leaves only the text.
bool IsFaultOfSystem(const absl::Status& error) {
  if (FailureOf(error) != Failure::kNone) return false;
  return std::ranges::any_of(
      std::array{ENOSPC, EDQUOT, EROFS, EACCES, EPERM, ENOENT, ENOTDIR, EIO, EMFILE, ENFILE,
                 ENOMEM},
      [&error](int number) { return absl::StrContains(error.message(), std::strerror(number)); });
}

// The files are made when the first ticket comes: late for a wrong folder.
absl::Status CheckReplayCache(const std::string& prefix) {
  const std::filesystem::path folder = std::filesystem::path(prefix).parent_path();
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return MakeFailure(Failure::kMisconfigured,
                     fmt::format("replay cache {}: its folder: {}", prefix, std::strerror(errno)));
}

}  // namespace

// GSSAPI serialises the use of one credential, so each caller borrows one of its own.
struct Acceptor::Pool {
  AcceptorConfig config;
  Mutex mutex;
  FileVersion version ABSL_GUARDED_BY(mutex);
  std::chrono::steady_clock::time_point looked ABSL_GUARDED_BY(mutex);
  std::shared_ptr<const Keys> keys ABSL_GUARDED_BY(mutex);
  std::array<std::vector<AcceptorCredential>, kReplayCacheParts> idle ABSL_GUARDED_BY(mutex);

  // A keytab that cannot be read any more leaves the keys in use: half of a file being
  // replaced must not stop the service.
  absl::Status Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const auto now = std::chrono::steady_clock::now();
    if (keys != nullptr && now - looked < config.keytab_looked_at_every) return absl::OkStatus();
    looked = now;
    const FileVersion found = FileVersion::Of(config.keytab);
    if (keys != nullptr && found == version) return absl::OkStatus();
    version = found;
    absl::StatusOr<std::shared_ptr<const Keys>> fresh = Keys::Load(config.keytab, config.service);
    if (!fresh.ok()) {
      if (keys == nullptr) return fresh.status();
      Log(LogLevel::kWarning, "kerberos.keytab.unreadable",
          {{"keytab", config.keytab}, {"status", fresh.status().ToString()}});
      return absl::OkStatus();
    }
    keys = *std::move(fresh);
    for (auto& credentials : idle) credentials.clear();
    return absl::OkStatus();
  }

  absl::StatusOr<AcceptorCredential> Borrow(std::size_t part) {
    std::shared_ptr<const Keys> current;
    {
      const MutexLock lock(mutex);
      DT_RETURN_IF_ERROR(Refresh());
      if (!idle[part].empty()) {
        AcceptorCredential credential = std::move(idle[part].back());
        idle[part].pop_back();
        return credential;
      }
      current = keys;
    }
    return AcquireAcceptor(config, std::move(current), part);
  }

  void GiveBack(AcceptorCredential credential, std::size_t part) {
    const MutexLock lock(mutex);
    if (credential.keys == keys) idle[part].push_back(std::move(credential));
  }
};

Acceptor::Acceptor(std::unique_ptr<Pool> pool) : pool_(std::move(pool)) {}
Acceptor::~Acceptor() = default;

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Create(const AcceptorConfig& config) {
  DT_RETURN_IF_ERROR(RequireConfig());
  DT_RETURN_IF_ERROR(CheckReplayCache(config.replay_cache));
  auto pool = std::make_unique<Pool>();
  pool->config = config;
  DT_ASSIGN_OR_RETURN(AcceptorCredential first, pool->Borrow(0));
  pool->GiveBack(std::move(first), 0);
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(pool)));
}

absl::StatusOr<Accepted> Acceptor::Accept(std::span<const std::uint8_t> token,
                                          const Bindings& bindings) const {
  if (token.empty() || token.size() > kSpnegoBytesMax) {
    return MakeFailure(Failure::kMalformed, "a SPNEGO token has 1 to 49152 bytes");
  }
  const std::size_t part = PartOf(pool_->config, bindings);
  DT_ASSIGN_OR_RETURN(AcceptorCredential credential, pool_->Borrow(part));

  GssContext context;
  GssName source;
  GssBuffer reply;
  OM_uint32 minor = 0;
  OM_uint32 flags = 0;
  gss_buffer_desc input = Borrow(token);
  gss_channel_bindings_struct channel = ChannelBindings(bindings);
  const OM_uint32 major =
      gss_accept_sec_context(&minor, context.out(), credential.gss.get(), &input, &channel,
                             source.out(), nullptr, reply.out(), &flags, nullptr, nullptr);
  pool_->GiveBack(std::move(credential), part);
  if (GSS_ERROR(major) != 0) {
    const absl::Status error = GssError(major, minor, "ticket refused");
    if (IsFaultOfSystem(error)) {
      return MakeFailure(
          Failure::kMisconfigured,
          fmt::format("replay cache {}: {}", pool_->config.replay_cache,
                      std::string_view(error.message().data(), error.message().size())));
    }
    if (FailureOf(error) == Failure::kWrongPassword || FailureOf(error) == Failure::kNone) {
      return MakeFailure(Failure::kTicketInvalid, {error.message().data(), error.message().size()});
    }
    return error;
  }
  if (major != GSS_S_COMPLETE) {
    return MakeFailure(Failure::kMalformed, "only Kerberos in a single SPNEGO leg is accepted");
  }
  if (pool_->config.binding == AcceptorConfig::Binding::kRequired &&
      (flags & GSS_C_CHANNEL_BOUND_FLAG) == 0) {
    return MakeFailure(Failure::kNotBound, "the ticket is not bound to this request");
  }
  if (pool_->config.refuse_delegated) {
    DT_RETURN_IF_ERROR(CheckNotDelegated(context.get(), source.get()));
  }
  DT_ASSIGN_OR_RETURN(Identity identity, IdentityOf(source.get()));
  DT_ASSIGN_OR_RETURN(identity.service_realm, ServiceRealmOf(context.get()));
  return Accepted{std::move(identity), Bytes(reply.bytes().begin(), reply.bytes().end())};
}

}  // namespace devicetrust::kerberos
