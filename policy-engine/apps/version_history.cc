#include "policy-engine/apps/version_history.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/rpc/error.h"
#include "policy-engine/apps/policy_edit.h"
#include "policy-engine/org/settings_edit.h"
#include "policy-engine/org/version_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kVersionsPerPage = 100;
constexpr int kVersionsPerPageMax = 1000;

absl::Status MalformedHistory(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject));
}

absl::Status CheckObject(const v1::ObjectName& object) {
  const bool app = object.kind() == v1::OBJECT_KIND_APP;
  const bool other =
      object.kind() == v1::OBJECT_KIND_SETTINGS || object.kind() == v1::OBJECT_KIND_ZONES;
  if ((app && !object.app_id().empty()) || (other && object.app_id().empty())) {
    return absl::OkStatus();
  }
  return MalformedHistory("name settings, zones, or an app by its id", "object");
}

// A token is where the page before ended, wrapped so that nobody builds on it.
std::string TokenOf(const VersionCursor& cursor) {
  return Base64UrlEncode(
      AsBytes(fmt::format("{} {} {}", cursor.at_ms, cursor.number, cursor.object)));
}

std::optional<std::int64_t> NumberOf(std::string_view text) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && stop == text.data() + text.size();
  return whole ? std::optional(number) : std::nullopt;
}

std::optional<VersionCursor> CursorOf(const std::string& token) {
  VersionCursor cursor;
  if (token.empty()) return cursor;
  const absl::StatusOr<Bytes> text = Base64UrlDecode(token);
  if (!text.ok()) return std::nullopt;
  const std::string plain = ToString(*text);
  const std::size_t first = plain.find(' ');
  const std::size_t second = first == plain.npos ? plain.npos : plain.find(' ', first + 1);
  if (second == plain.npos) return std::nullopt;
  const std::string_view view(plain);
  const auto at = NumberOf(view.substr(0, first));
  const auto number = NumberOf(view.substr(first + 1, second - first - 1));
  if (!at || !number) return std::nullopt;
  return VersionCursor{*at, plain.substr(second + 1), *number};
}

absl::Status IsThatAlready(const v1::ObjectName& object, std::int64_t number) {
  return rpc::MakeError(
      absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
      fmt::format("{} is what it was in version {} already", ObjectText(object), number),
      ObjectText(object));
}

absl::Status CheckNewest(const v1::ObjectName& object, std::int64_t expected,
                         const v1::ObjectVersion& newest) {
  if (expected == 0 || expected == newest.number()) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kAborted, reason::v1::REASON_CONFLICTING_STATE,
                        fmt::format("{} is at version {}, not at {}: somebody changed it",
                                    ObjectText(object), newest.number(), expected),
                        ObjectText(object), "Look at its versions again.");
}

}  // namespace

absl::StatusOr<v1::ListVersionsResponse> VersionHistory::List(
    const v1::ListVersionsRequest& request) const {
  if (request.page_size() < 0 || request.page_size() > kVersionsPerPageMax) {
    return MalformedHistory(fmt::format("page_size is 1 to {}", kVersionsPerPageMax), "page_size");
  }
  std::optional<v1::ObjectName> object;
  if (request.has_object()) {
    DT_RETURN_IF_ERROR(CheckObject(request.object()));
    object = request.object();
  }
  const std::optional<VersionCursor> begin = CursorOf(request.page_token());
  if (!begin) return MalformedHistory("page_token is not of an earlier answer", "page_token");
  const int size = request.page_size() == 0 ? kVersionsPerPage : request.page_size();
  const auto list = [&](db::Transaction& txn) -> absl::StatusOr<v1::ListVersionsResponse> {
    VersionCursor cursor = *begin;
    DT_ASSIGN_OR_RETURN(auto versions, ListVersions(txn, object, size, cursor));
    v1::ListVersionsResponse response;
    if (static_cast<int>(versions.size()) == size) response.set_next_page_token(TokenOf(cursor));
    for (v1::ObjectVersion& version : versions) *response.add_versions() = std::move(version);
    return response;
  };
  return parts_.database.Read(list);
}

absl::StatusOr<v1::GetVersionResponse> VersionHistory::Get(
    const v1::GetVersionRequest& request) const {
  DT_RETURN_IF_ERROR(CheckObject(request.object()));
  const auto find = [&](db::Transaction& txn) {
    return FindVersion(txn, request.object(), request.number());
  };
  DT_ASSIGN_OR_RETURN(v1::GetVersionResponse found, parts_.database.Read(find));
  if (found.has_app()) {
    DT_ASSIGN_OR_RETURN(*found.mutable_app()->mutable_rules(),
                        parts_.references.WithPrincipals(found.app().rules()));
  }
  return found;
}

absl::StatusOr<v1::RollbackResponse> VersionHistory::Rollback(const rpc::Caller& admin,
                                                              const v1::RollbackRequest& request) {
  const v1::ObjectName& object = request.object();
  DT_RETURN_IF_ERROR(CheckObject(object));
  if (request.number() < 1) return MalformedHistory("number is 1 or more", "number");
  const auto find = [&](db::Transaction& txn) {
    return FindVersion(txn, object, request.number());
  };
  DT_ASSIGN_OR_RETURN(v1::GetVersionResponse then, parts_.database.Read(find));
  if (then.version().removed()) {
    return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                          reason::v1::REASON_CONFLICTING_STATE,
                          fmt::format("version {} is the one with which {} was removed",
                                      request.number(), ObjectText(object)),
                          ObjectText(object), "Remove the app, or go back to the version before.");
  }
  const WallTime now = parts_.clock.Now();
  PolicyWish wish;
  wish.allow_unknown = request.allow_unknown();
  wish.force = request.force();
  wish.changed_by = admin.ToString();
  wish.now = now;
  const v1::PolicySettings settings = PolicySettingsOf(then.settings());
  if (then.has_settings()) wish.settings = &settings;
  if (then.has_zones()) wish.zones = &then.zones().zones();
  if (then.has_app()) wish.apps.push_back(std::move(*then.mutable_app()));
  DT_RETURN_IF_ERROR(ErrorOf(ResolvePeople(parts_.references, wish)));

  v1::Event event =
      EventBuilder("policy.version.rollback",
                   fmt::format("Back to version {} of {}", request.number(), ObjectText(object)),
                   now)
          .Actor(admin)
          .Outcome(v1::EventOutcome::RESULT_SUCCESS)
          .Debug("version", fmt::format("{}", request.number()))
          .Take();
  // Changes come one after the other, so that what is the newest version stays it.
  const auto newest = [&]() -> absl::StatusOr<v1::GetVersionResponse> {
    return parts_.database.Read([&](db::Transaction& txn) { return FindVersion(txn, object, 0); });
  };
  const auto change = [&](const OrgState& before, OrgEdit& edit) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const v1::GetVersionResponse last, newest());
    DT_RETURN_IF_ERROR(CheckNewest(object, request.expected_number(), last.version()));
    DT_RETURN_IF_ERROR(ErrorOf(EditPolicy(wish, before, edit)));
    return edit.empty() ? IsThatAlready(object, request.number()) : absl::OkStatus();
  };
  DT_ASSIGN_OR_RETURN(const OrgStore::Effect effect, parts_.store.Change(std::move(event), change));
  v1::RollbackResponse response;
  DT_ASSIGN_OR_RETURN(v1::GetVersionResponse last, newest());
  *response.mutable_version() = std::move(*last.mutable_version());
  for (const std::string& warning : effect.warnings) response.add_warnings(warning);
  return response;
}

}  // namespace devicetrust::policy
