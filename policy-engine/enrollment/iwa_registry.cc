#include "policy-engine/enrollment/iwa_registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/rpc/error.h"
#include "libs/token/key_set.h"
#include "policy-engine/enrollment/iwa_version.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kDomainBytesMax = 255;
constexpr std::size_t kIdBytesMax = 64;
constexpr std::size_t kProblemBytesMax = 500;
constexpr std::size_t kGrantBytesShown = 4096;  // Of all domains, in the System Log.

absl::Status IwaInputError(std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), "iwa");
}

absl::Status IwaRefusal(reason::v1::Reason reason, std::string message, const std::string& name,
                        std::string remedy) {
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason, std::move(message), name,
                        std::move(remedy));
}

bool IsOfVersion(const v1::Iwa& iwa, const IwaVersion& least) {
  const std::optional<IwaVersion> version = IwaVersion::Parse(iwa.version());
  return version && *version >= least;
}

absl::StatusOr<std::vector<std::string>> DomainsOf(db::Transaction& txn, const std::string& name) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT domain FROM iwa_domains WHERE iwa_name = $1 ORDER BY domain", {name}));
  std::vector<std::string> domains;
  for (const db::Row& row : rows) domains.push_back(db::Text(row[0]));
  return domains;
}

absl::StatusOr<v1::Iwa> IwaFromRow(db::Transaction& txn, const db::Row& row) {
  v1::Iwa iwa;
  const Bytes& blob = db::Blob(row[0]);
  if (!iwa.ParseFromArray(blob.data(), static_cast<int>(blob.size()))) {
    return absl::DataLossError("a stored IWA does not parse");
  }
  iwa.set_enabled(db::Int(row[1]) != 0);
  iwa.mutable_last_heartbeat()->set_seconds(db::Int(row[2]));
  iwa.set_problem(db::Text(row[3]));
  iwa.set_device_trust_capable(IsOfVersion(iwa, kIwaVersionDeviceTrust));
  DT_ASSIGN_OR_RETURN(const auto domains, DomainsOf(txn, iwa.name()));
  iwa.mutable_granted_domains()->Assign(domains.begin(), domains.end());
  return iwa;
}

absl::StatusOr<std::optional<v1::Iwa>> FindIwa(db::Transaction& txn, const std::string& name) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT iwa, enabled, last_heartbeat, problem FROM iwas WHERE name = $1", {name}));
  if (rows.empty()) return std::optional<v1::Iwa>();
  DT_ASSIGN_OR_RETURN(v1::Iwa iwa, IwaFromRow(txn, rows.front()));
  return std::optional<v1::Iwa>(std::move(iwa));
}

absl::StatusOr<std::vector<v1::Iwa>> AllIwas(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT iwa, enabled, last_heartbeat, problem FROM iwas ORDER BY name"));
  std::vector<v1::Iwa> iwas;
  for (const db::Row& row : rows) {
    DT_ASSIGN_OR_RETURN(v1::Iwa iwa, IwaFromRow(txn, row));
    iwas.push_back(std::move(iwa));
  }
  return iwas;
}

absl::Status ValidateKeys(const v1::Iwa& iwa) {
  if (iwa.keys_size() < 1 || iwa.keys_size() > kIwaKeysMax) {
    return IwaInputError(fmt::format("an IWA registers 1 to {} keys", kIwaKeysMax));
  }
  std::set<std::string> kids;
  for (const v1::IwaKey& key : iwa.keys()) {
    const auto parsed = token::FromJwk(key.jwk());
    if (!parsed.ok() || parsed->first != key.kid()) {
      return IwaInputError(fmt::format("key '{}' is not a public P-256 JWK of that kid",
                                       std::string_view(key.kid()).substr(0, 128)));
    }
    if (!kids.insert(key.kid()).second) {
      return IwaInputError(fmt::format("key '{}' is given twice", key.kid()));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateIwa(const v1::Iwa& iwa) {
  if (iwa.name().empty() || iwa.name().size() > 64) {
    return IwaInputError("the name must be 1 to 64 bytes");
  }
  if (iwa.address().empty() || iwa.address().size() > 256 || iwa.spn().size() > 256) {
    return IwaInputError("the address must be host:port, and address and SPN at most 256 bytes");
  }
  if (!IwaVersion::Parse(iwa.version())) {
    return IwaInputError("the version must be numbers with dots, such as 1.12.2");
  }
  if (iwa.binding() != "https" && iwa.binding() != "http") {
    return IwaInputError("the binding must be https or http");
  }
  if (iwa.forest().size() > kDomainBytesMax || iwa.store_id().size() > kIdBytesMax ||
      iwa.process_id().size() > kIdBytesMax) {
    return IwaInputError("the forest has at most 255 bytes, and each id 64");
  }
  if (iwa.domains_size() > kIwaDomainsMax) {
    return IwaInputError(fmt::format("an IWA serves at most {} domains", kIwaDomainsMax));
  }
  return ValidateKeys(iwa);
}

// A key is of one IWA: else its tokens would have two issuers.
absl::Status RefuseForeignKeys(db::Transaction& txn, const v1::Iwa& iwa) {
  DT_ASSIGN_OR_RETURN(const auto others, AllIwas(txn));
  for (const v1::Iwa& other : others) {
    if (other.name() == iwa.name()) continue;
    for (const v1::IwaKey& theirs : other.keys()) {
      for (const v1::IwaKey& ours : iwa.keys()) {
        if (ours.kid() != theirs.kid()) continue;
        return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_ALREADY_EXISTS,
                              fmt::format("key '{}' belongs to IWA '{}'", ours.kid(), other.name()),
                              iwa.name(), "Give each IWA a signing key of its own.");
      }
    }
  }
  return absl::OkStatus();
}

// What the store keeps in the blob: neither what has a column nor what is computed.
Bytes IwaBlob(v1::Iwa iwa) {
  iwa.clear_enabled();
  iwa.clear_last_heartbeat();
  iwa.clear_device_trust_capable();
  iwa.clear_granted_domains();
  iwa.clear_online();
  iwa.clear_withheld();
  iwa.clear_problem();
  const std::string text = iwa.SerializeAsString();
  return {text.begin(), text.end()};
}

absl::Status NameTaken(const std::string& name, std::string message) {
  return rpc::MakeError(absl::StatusCode::kAlreadyExists, reason::v1::REASON_IWA_NAME_TAKEN,
                        std::move(message), name,
                        "Give each IWA a name, a certificate and a store of its own; one that "
                        "replaces another starts when the other has stopped for 15 seconds.");
}

absl::Status UnknownIwa(const std::string& name) {
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_IWA_UNKNOWN,
                        "no IWA of this name is registered", name,
                        "Start it: it registers itself.");
}

// Where the IWA is a member; of one that does not say, that of its first domain. Empty: unknown.
std::string ForestOf(const v1::Iwa& iwa, const directory::Registry& directories) {
  if (!iwa.forest().empty()) return FoldName(iwa.forest());
  if (iwa.domains().empty()) return {};
  const auto first = directories.FindByRealm(iwa.domains(0));
  return first.ok() ? (*first)->forest : std::string();
}

// ORG-6.
absl::Status CheckForestsOfIwa(const v1::Iwa& iwa,
                               const std::set<const directory::Domain*>& domains,
                               const directory::Registry& directories) {
  if (IsOfVersion(iwa, kIwaVersionOtherForests)) return absl::OkStatus();
  const std::string own = ForestOf(iwa, directories);
  for (const directory::Domain* domain : domains) {
    if (domain->forest == own) continue;
    return IwaRefusal(
        reason::v1::REASON_IWA_TOO_OLD,
        fmt::format("version {} of the IWA serves its own forest alone, and {} is of forest {}",
                    iwa.version(), domain->dns_name, domain->forest),
        iwa.name(), "Update it: dt-iwa --version must say \"as IWA 1.12.2\", or a later one.");
  }
  return absl::OkStatus();
}

// Two processes of one name would sign with two sets of keys, of which the org knew one. Who is at
// work keeps the name against another store's, and against an older copy of its own. A restart is
// the same store's, opened once more, and the process of before hears of it; so is a copy that was
// opened more often, which then has the name.
absl::Status RefuseTakenName(const std::optional<v1::Iwa>& before, const v1::Iwa& iwa) {
  if (!before || before->store_id().empty() || !before->online()) return absl::OkStatus();
  if (before->store_id() != iwa.store_id()) {
    return NameTaken(iwa.name(), "another IWA of this name, with keys of its own, is online");
  }
  if (before->process_id() == iwa.process_id() || before->starts() < iwa.starts()) {
    return absl::OkStatus();
  }
  return NameTaken(iwa.name(), "another process of this IWA is online");
}

// An IWA speaks for itself only.
absl::Status RequireSelf(const rpc::Caller& caller, const std::string& name) {
  if (caller.kind == rpc::Caller::Kind::kComponent && caller.name == name) {
    return absl::OkStatus();
  }
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
                        fmt::format("{} may not speak for IWA '{}'", caller.ToString(),
                                    std::string_view(name).substr(0, 64)),
                        name, "Give the IWA the name that its internal certificate has.");
}

}  // namespace

absl::Status CheckIwaMayEnroll(db::Transaction& txn, const IwaVouches& vouches,
                               const directory::Registry& directories,
                               const v1::OrgSettings& settings) {
  const auto& [name, kid, realm, domains] = vouches;
  DT_ASSIGN_OR_RETURN(const auto iwa, FindIwa(txn, name));
  if (!iwa) {
    return IwaRefusal(reason::v1::REASON_IWA_UNKNOWN,
                      "the token's IWA is not registered with the org", name,
                      "Register the IWA: start it with the org's address.");
  }
  if (!iwa->enabled()) {
    return IwaRefusal(reason::v1::REASON_IWA_DISABLED, "the IWA is disabled in the org", name,
                      "Enable it in the org's list of IWAs.");
  }
  if (!iwa->device_trust_capable()) {
    return IwaRefusal(
        reason::v1::REASON_IWA_TOO_OLD,
        fmt::format("version {} of the IWA is too old for Device Trust", iwa->version()), name,
        "Update it: dt-iwa --version must say \"as IWA 1.11.0\", or a later one.");
  }
  if (settings.iwa_primary_only() && !iwa->primary()) {
    return IwaRefusal(reason::v1::REASON_IWA_IS_BACKUP,
                      "the IWA is a backup, and the org uses primary ones alone", name,
                      "Bring the primary IWA back, or let backups serve: dtctl iwa failover on.");
  }
  DT_RETURN_IF_ERROR(CheckForestsOfIwa(*iwa, domains, directories));
  const bool known =
      std::ranges::any_of(iwa->keys(), [&kid](const v1::IwaKey& key) { return key.kid() == kid; });
  if (!known) {
    return IwaRefusal(reason::v1::REASON_TOKEN_UNKNOWN_KEY, "the token's key is none of this IWA",
                      name, "Ask the IWA for a new token.");
  }
  const bool serves = std::ranges::any_of(
      iwa->domains(), [&realm](const std::string& domain) { return SameName(domain, realm); });
  if (!serves) {
    return IwaRefusal(reason::v1::REASON_UNTRUSTED_FOREST,
                      fmt::format("the IWA is not registered for {}", realm), name,
                      "Add the domain to the IWA's configuration.");
  }
  std::set<std::string> asked = {FoldName(realm)};
  for (const directory::Domain* domain : domains) asked.insert(domain->dns_name);
  for (const std::string& domain : asked) {
    const bool granted =
        std::ranges::any_of(iwa->granted_domains(),
                            [&domain](const std::string& one) { return SameName(one, domain); });
    if (granted) continue;
    return IwaRefusal(reason::v1::REASON_IWA_DOMAIN_NOT_GRANTED,
                      fmt::format("no administrator lets the IWA vouch for {}", domain), name,
                      fmt::format("If it should: dtctl iwa grant {} {}.", name, domain));
  }
  return absl::OkStatus();
}

namespace {

absl::Status ValidateGrant(const v1::SetIwaDomainsRequest& request) {
  if (!rpc::IsName(request.name())) {
    return IwaInputError("an IWA's name is 1 to 64 of a-z 0-9 . _ -");
  }
  if (request.domains_size() > kIwaDomainsMax) {
    return IwaInputError(fmt::format("an IWA vouches for at most {} domains", kIwaDomainsMax));
  }
  for (const std::string& domain : request.domains()) {
    const auto fits = [](char c) { return IsAlnum(c) || c == '.' || c == '-' || c == '_'; };
    if (domain.size() <= kDomainBytesMax && IsAll(domain, fits) && domain.front() != '.' &&
        domain.back() != '.') {
      continue;
    }
    return IwaInputError(fmt::format("'{}' is not the DNS name of a domain, such as corp.test",
                                     std::string_view(domain).substr(0, 64)));
  }
  return absl::OkStatus();
}

// For the System Log: a name alone would not say what was given.
std::string GrantWords(const std::string& name, const std::set<std::string>& domains) {
  const std::string whom = domains.empty() ? "nobody" : fmt::format("{}", fmt::join(domains, ", "));
  return fmt::format("{} may vouch for {}", name, CutText(whom, kGrantBytesShown));
}

}  // namespace

absl::StatusOr<v1::SetIwaDomainsResponse> IwaRegistry::SetDomains(
    const rpc::Caller& admin, const v1::SetIwaDomainsRequest& request) {
  DT_RETURN_IF_ERROR(ValidateGrant(request));
  std::set<std::string> domains;
  for (const std::string& domain : request.domains()) domains.insert(FoldName(domain));
  v1::Event event = EventBuilder("org.iwa.grant", "Domains that an IWA may vouch for", clock_.Now())
                        .Actor(admin)
                        .Target("Iwa", request.name(), GrantWords(request.name(), domains))
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  DT_RETURN_IF_ERROR(events_.Identify(event));
  const auto change = [&](db::Transaction& txn) -> absl::StatusOr<v1::SetIwaDomainsResponse> {
    DT_ASSIGN_OR_RETURN(const auto before, DomainsOf(txn, request.name()));
    if (!std::ranges::equal(before, domains)) {
      DT_RETURN_IF_ERROR(
          txn.Run("DELETE FROM iwa_domains WHERE iwa_name = $1", {request.name()}).status());
      for (const std::string& domain : domains) {
        DT_RETURN_IF_ERROR(txn.Run("INSERT INTO iwa_domains (iwa_name, domain) VALUES ($1, $2)",
                                   {request.name(), domain})
                               .status());
      }
      DT_RETURN_IF_ERROR(events_.Append(txn, event));
    }
    DT_ASSIGN_OR_RETURN(auto iwa, FindIwa(txn, request.name()));
    v1::SetIwaDomainsResponse response;
    if (iwa) {
      Complete(*iwa);
      *response.mutable_iwa() = *std::move(iwa);
    } else {
      response.mutable_iwa()->set_name(request.name());
      response.mutable_iwa()->mutable_granted_domains()->Assign(domains.begin(), domains.end());
    }
    return response;
  };
  return database_.Write(change);
}

absl::StatusOr<v1::RegisterIwaResponse> IwaRegistry::Register(
    const rpc::Caller& caller, const v1::RegisterIwaRequest& request) {
  const v1::Iwa& iwa = request.iwa();
  DT_RETURN_IF_ERROR(RequireSelf(caller, iwa.name()));
  DT_RETURN_IF_ERROR(ValidateIwa(iwa));
  v1::Event event =
      EventBuilder("org.iwa.register", "IWA registered", clock_.Now())
          .Actor(caller)
          .Target("Iwa", iwa.name(), fmt::format("{} at {}", iwa.name(), iwa.address()))
          .Outcome(v1::EventOutcome::RESULT_SUCCESS)
          .Debug("version", iwa.version())
          .Take();
  DT_RETURN_IF_ERROR(events_.Identify(event));
  const std::int64_t now = UnixSeconds(clock_.Now());
  const auto store = [&](db::Transaction& txn) -> absl::StatusOr<v1::RegisterIwaResponse> {
    DT_RETURN_IF_ERROR(RefuseForeignKeys(txn, iwa));
    DT_ASSIGN_OR_RETURN(auto before, FindIwa(txn, iwa.name()));
    if (before) Complete(*before);
    DT_RETURN_IF_ERROR(RefuseTakenName(before, iwa));
    const Bytes blob = IwaBlob(iwa);
    DT_RETURN_IF_ERROR(
        txn.Run("INSERT INTO iwas (name, enabled, last_heartbeat, iwa) VALUES ($1, 1, $2, $3)"
                " ON CONFLICT (name) DO UPDATE SET last_heartbeat = excluded.last_heartbeat,"
                " iwa = excluded.iwa",
                {iwa.name(), now, blob})
            .status());
    // An IWA that starts again with what is known is no news.
    if (before) {
      before->set_process_id(iwa.process_id());
      before->set_starts(iwa.starts());
    }
    if (!before || IwaBlob(*before) != blob) DT_RETURN_IF_ERROR(events_.Append(txn, event));
    DT_ASSIGN_OR_RETURN(auto stored, FindIwa(txn, iwa.name()));
    Complete(*stored);
    v1::RegisterIwaResponse response;
    *response.mutable_iwa() = *std::move(stored);
    return response;
  };
  return database_.Write(store);
}

absl::StatusOr<v1::HeartbeatResponse> IwaRegistry::Heartbeat(const rpc::Caller& caller,
                                                             const v1::HeartbeatRequest& request) {
  DT_RETURN_IF_ERROR(RequireSelf(caller, request.name()));
  if (request.problem().size() > kProblemBytesMax) {
    return IwaInputError(fmt::format("a problem has at most {} bytes", kProblemBytesMax));
  }
  const std::int64_t now = UnixSeconds(clock_.Now());
  const auto touch = [&](db::Transaction& txn) -> absl::StatusOr<v1::HeartbeatResponse> {
    DT_ASSIGN_OR_RETURN(const auto known, FindIwa(txn, request.name()));
    if (known && known->process_id() != request.process_id()) {
      return NameTaken(request.name(), "another process has registered under this name since");
    }
    DT_ASSIGN_OR_RETURN(
        const auto updated,
        txn.Run("UPDATE iwas SET last_heartbeat = $2, problem = $3 WHERE name = $1 RETURNING name",
                {request.name(), now, request.problem()}));
    if (updated.empty()) return UnknownIwa(request.name());
    return v1::HeartbeatResponse();
  };
  return database_.Write(touch);
}

void IwaRegistry::Complete(v1::Iwa& iwa) const {
  const std::int64_t silent = UnixSeconds(clock_.Now()) - iwa.last_heartbeat().seconds();
  iwa.set_online(std::chrono::seconds(silent) <= kIwaOnlineFor);
  iwa.set_withheld(!iwa.primary() && store_.state()->settings.iwa_primary_only());
}

absl::StatusOr<v1::ListIwasResponse> IwaRegistry::List() {
  DT_ASSIGN_OR_RETURN(std::vector<v1::Iwa> iwas, database_.Read(AllIwas));
  v1::ListIwasResponse response;
  for (v1::Iwa& iwa : iwas) {
    Complete(iwa);
    *response.add_iwas() = std::move(iwa);
  }
  return response;
}

absl::StatusOr<v1::SetIwaEnabledResponse> IwaRegistry::SetEnabled(
    const rpc::Caller& admin, const v1::SetIwaEnabledRequest& request) {
  const bool enabled = request.enabled();
  v1::Event event = EventBuilder(enabled ? "org.iwa.enable" : "org.iwa.disable",
                                 enabled ? "IWA enabled" : "IWA disabled", clock_.Now())
                        .Actor(admin)
                        .Target("Iwa", request.name())
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  DT_RETURN_IF_ERROR(events_.Identify(event));
  const auto change = [&](db::Transaction& txn) -> absl::StatusOr<v1::SetIwaEnabledResponse> {
    DT_RETURN_IF_ERROR(txn.Run("UPDATE iwas SET enabled = $2 WHERE name = $1",
                               {request.name(), std::int64_t{enabled}})
                           .status());
    DT_ASSIGN_OR_RETURN(auto iwa, FindIwa(txn, request.name()));
    if (!iwa) return UnknownIwa(request.name());
    Complete(*iwa);
    DT_RETURN_IF_ERROR(events_.Append(txn, event));
    v1::SetIwaEnabledResponse response;
    *response.mutable_iwa() = *std::move(iwa);
    return response;
  };
  return database_.Write(change);
}

}  // namespace devicetrust::policy
