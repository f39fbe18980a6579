#include "libs/kerberos/acceptor.h"

#include <fmt/format.h>

#include <array>
#include <mutex>

#include "libs/kerberos/environment.h"
#include "libs/kerberos/handles.h"
#include "libs/kerberos/pac.h"

namespace devicetrust::kerberos {
namespace {

constexpr std::uint32_t kWorkstationTrust = 0x80;  // MS-SAMR 2.2.1.12.
constexpr std::uint32_t kServerTrust = 0x100;

absl::StatusOr<GssCredential> AcquireAcceptor(const AcceptorConfig& config) {
  const std::string keytab = "FILE:" + config.keytab;
  const std::string cache = "file2:" + config.replay_cache;
  std::array<gss_key_value_element_desc, 2> elements = {
      {{"keytab", keytab.c_str()}, {"rcache", cache.c_str()}}};
  const gss_key_value_set_desc store = {elements.size(), elements.data()};
  gss_OID_set_desc mechanisms = {1, SpnegoMechanism()};
  GssCredential credential;
  OM_uint32 minor = 0;
  const OM_uint32 major =
      gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms, GSS_C_ACCEPT,
                            &store, credential.out(), nullptr, nullptr);
  if (major == GSS_S_COMPLETE) return credential;
  const absl::Status cause = GssError(major, minor, "keytab " + config.keytab);
  return MakeFailure(Failure::kMisconfigured, {cause.message().data(), cause.message().size()});
}

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

}  // namespace

// GSSAPI serialises the use of one credential, so each caller borrows one of its own.
struct Acceptor::Pool {
  AcceptorConfig config;
  std::mutex mutex;
  std::vector<GssCredential> idle;
};

Acceptor::Acceptor(std::unique_ptr<Pool> pool) : pool_(std::move(pool)) {}
Acceptor::~Acceptor() = default;

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Create(const AcceptorConfig& config) {
  DT_RETURN_IF_ERROR(RequireConfig());
  auto pool = std::make_unique<Pool>();
  pool->config = config;
  DT_ASSIGN_OR_RETURN(GssCredential first, AcquireAcceptor(config));
  pool->idle.push_back(std::move(first));
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(pool)));
}

absl::StatusOr<Accepted> Acceptor::Accept(std::span<const std::uint8_t> token,
                                          const Bindings& bindings) const {
  if (token.empty() || token.size() > kSpnegoBytesMax) {
    return MakeFailure(Failure::kMalformed, "a SPNEGO token has 1 to 49152 bytes");
  }
  GssCredential credential;
  {
    const std::lock_guard lock(pool_->mutex);
    if (!pool_->idle.empty()) {
      credential = std::move(pool_->idle.back());
      pool_->idle.pop_back();
    }
  }
  if (credential.get() == GSS_C_NO_CREDENTIAL) {
    DT_ASSIGN_OR_RETURN(credential, AcquireAcceptor(pool_->config));
  }

  GssContext context;
  GssName source;
  GssBuffer reply;
  OM_uint32 minor = 0;
  OM_uint32 flags = 0;
  gss_buffer_desc input = Borrow(token);
  gss_channel_bindings_struct channel = ChannelBindings(bindings);
  const OM_uint32 major =
      gss_accept_sec_context(&minor, context.out(), credential.get(), &input, &channel,
                             source.out(), nullptr, reply.out(), &flags, nullptr, nullptr);
  {
    const std::lock_guard lock(pool_->mutex);
    pool_->idle.push_back(std::move(credential));
  }
  if (GSS_ERROR(major) != 0) {
    const absl::Status error = GssError(major, minor, "ticket refused");
    if (FailureOf(error) == Failure::kWrongPassword || FailureOf(error) == Failure::kNone) {
      return MakeFailure(Failure::kTicketInvalid, {error.message().data(), error.message().size()});
    }
    return error;
  }
  if (major != GSS_S_COMPLETE) {
    return MakeFailure(Failure::kMalformed, "only Kerberos in a single SPNEGO leg is accepted");
  }
  if ((flags & GSS_C_CHANNEL_BOUND_FLAG) == 0) {
    return MakeFailure(Failure::kNotBound, "the ticket is not bound to this request");
  }
  DT_ASSIGN_OR_RETURN(Identity identity, IdentityOf(source.get()));
  return Accepted{std::move(identity), Bytes(reply.bytes().begin(), reply.bytes().end())};
}

}  // namespace devicetrust::kerberos
