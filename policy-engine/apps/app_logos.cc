#include "policy-engine/apps/app_logos.h"

#include <map>
#include <string>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "policy-engine/apps/logo_store.h"
#include "policy-engine/apps/png.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

absl::StatusOr<v1::SetAppLogoResponse> AppLogos::Set(const rpc::Caller& admin,
                                                     const v1::SetAppLogoRequest& request) {
  const auto org = parts_.store.state();
  const AppState* app = org->FindApp(request.app_id());
  if (app == nullptr) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                          "the org has no such app", request.app_id(),
                          "List the apps, or add it first.");
  }
  Bytes png;
  if (!request.png().empty()) {
    absl::StatusOr<Bytes> clean = CleanPng(AsBytes(request.png()));
    if (!clean.ok()) {
      return rpc::MakeError(absl::StatusCode::kInvalidArgument,
                            reason::v1::REASON_MALFORMED_REQUEST,
                            std::string(clean.status().message()), "png",
                            "Export the logo as PNG, for example 128 x 128 pixels.");
    }
    png = *std::move(clean);
  }
  v1::SetAppLogoResponse response;
  if (!png.empty()) {
    const pki::Sha256Digest digest = pki::Sha256(png);
    response.set_sha256(std::string(digest.begin(), digest.end()));
  }
  v1::Event event;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const auto store = [&](db::Transaction& txn) -> absl::Status {
    DT_ASSIGN_OR_RETURN(auto logos, ListLogos(txn));
    const std::string before = logos[request.app_id()];
    if (before == response.sha256()) return absl::OkStatus();
    DT_RETURN_IF_ERROR(StoreLogo(txn, request.app_id(), png));
    v1::Event told =
        EventBuilder("application.logo.change", "Change of an app's logo", parts_.clock.Now())
            .Actor(admin)
            .Target("AppInstance", request.app_id(), app->app.label())
            .Outcome(v1::EventOutcome::RESULT_SUCCESS)
            .Debug("sha256_before", HexEncode(AsBytes(before)))
            .Debug("sha256", HexEncode(AsBytes(response.sha256())))
            .Take();
    told.set_id(event.id());
    return parts_.events.Append(txn, told);
  };
  DT_RETURN_IF_ERROR(parts_.database.Write(store));
  return response;
}

}  // namespace devicetrust::policy
