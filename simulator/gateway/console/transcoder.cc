#include "simulator/gateway/console/transcoder.h"

#include <fmt/format.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "devicetrust/ca/v1/ca.pb.h"
#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/console.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/org/v1/diagnostics.pb.h"
#include "devicetrust/org/v1/event_hooks.pb.h"
#include "devicetrust/org/v1/factors.pb.h"
#include "devicetrust/org/v1/history.pb.h"
#include "devicetrust/org/v1/iwa_registry.pb.h"
#include "devicetrust/org/v1/people_sync.pb.h"
#include "devicetrust/org/v1/policy_analysis.pb.h"
#include "devicetrust/org/v1/policy_document.pb.h"
#include "devicetrust/org/v1/settings.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "devicetrust/org/v1/users.pb.h"
#include "devicetrust/org/v1/zones.pb.h"
#include "libs/base/printable.h"
#include "libs/rpc/error.h"
#include "libs/rpc/grant.h"

namespace devicetrust::gateway {
namespace {

namespace pb = ::google::protobuf;

// The contracts that the console speaks. A message of each is named, so that the program has it.
const std::vector<const pb::FileDescriptor*>& Contracts() {
  static const std::vector<const pb::FileDescriptor*> kFiles = {
      ca::v1::ListCertificatesRequest::descriptor()->file(),
      org::v1::App::descriptor()->file(),
      org::v1::Admin::descriptor()->file(),
      org::v1::Decision::descriptor()->file(),
      org::v1::DiagnoseRequest::descriptor()->file(),
      org::v1::ListHooksRequest::descriptor()->file(),
      org::v1::GetFactorStatusRequest::descriptor()->file(),
      org::v1::ListVersionsRequest::descriptor()->file(),
      org::v1::Iwa::descriptor()->file(),
      org::v1::PeopleSyncStatus::descriptor()->file(),
      org::v1::WhatIfRequest::descriptor()->file(),
      org::v1::PolicyDocument::descriptor()->file(),
      org::v1::OrgSettings::descriptor()->file(),
      org::v1::Event::descriptor()->file(),
      org::v1::User::descriptor()->file(),
      org::v1::Zone::descriptor()->file(),
  };
  return kFiles;
}

std::string NameOf(const pb::MethodDescriptor& method) {
  return method.service()->full_name() + "/" + method.name();
}

absl::Status NotTaken(std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), {},
                        "The contract's proto says which fields there are.");
}

// Messages of one factory share its prototypes.
std::unique_ptr<pb::Message> NewMessage(const pb::Descriptor& type) {
  const pb::Message* prototype = pb::MessageFactory::generated_factory()->GetPrototype(&type);
  return std::unique_ptr<pb::Message>(prototype->New());
}

}  // namespace

const pb::MethodDescriptor* FindConsoleMethod(std::string_view name) {
  for (const pb::FileDescriptor* file : Contracts()) {
    for (int s = 0; s < file->service_count(); ++s) {
      const pb::ServiceDescriptor& service = *file->service(s);
      const std::string& prefix = service.full_name();
      if (!name.starts_with(prefix) || name.size() <= prefix.size() + 1 ||
          name[prefix.size()] != '/') {
        continue;
      }
      const pb::MethodDescriptor* method =
          service.FindMethodByName(std::string(name.substr(prefix.size() + 1)));
      const bool exposed = method != nullptr && !method->client_streaming() &&
                           rpc::ConsoleAccess(*method) != nullptr;
      return exposed ? method : nullptr;
    }
  }
  return nullptr;
}

std::vector<std::string> ConsoleMethodsOf(access::v1::Role role) {
  std::vector<std::string> names;
  for (const pb::FileDescriptor* file : Contracts()) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const pb::MethodDescriptor& method = *file->service(s)->method(m);
        const access::v1::Access* access = rpc::ConsoleAccess(method);
        if (access != nullptr && rpc::MayCall(*access, role)) names.push_back(NameOf(method));
      }
    }
  }
  std::ranges::sort(names);
  return names;
}

absl::StatusOr<std::string> ToWire(const pb::Descriptor& type, std::string_view json) {
  const std::unique_ptr<pb::Message> message = NewMessage(type);
  if (!json.empty()) {
    // Protobuf's reader is lenient: quotes that are none, names without any.
    if (!nlohmann::json::accept(json)) return NotTaken("the body is not JSON");
    const auto parsed =
        pb::util::JsonStringToMessage(pb::StringPiece(json.data(), json.size()), message.get());
    if (!parsed.ok()) {
      return NotTaken(fmt::format("the body is no {}: {}", type.name(),
                                  Printable(std::string(parsed.message()).substr(0, 256))));
    }
  }
  return message->SerializeAsString();
}

absl::StatusOr<std::string> ToJson(const pb::Descriptor& type, std::string_view wire) {
  const std::unique_ptr<pb::Message> message = NewMessage(type);
  if (!message->ParseFromArray(wire.data(), static_cast<int>(wire.size()))) {
    return absl::DataLossError(fmt::format("the answer is no {}", type.name()));
  }
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!pb::util::MessageToJsonString(*message, &json, options).ok()) {
    return absl::DataLossError(fmt::format("the answer, a {}, has no JSON form", type.name()));
  }
  return json;
}

std::string ErrorJson(const absl::Status& status) {
  nlohmann::ordered_json error = nlohmann::ordered_json::object();
  const bool hidden = absl::IsInternal(status) || absl::IsUnknown(status);
  error["reason"] = rpc::ReasonName(status);
  error["message"] = hidden ? std::string("internal error") : std::string(status.message());
  if (const auto detail = rpc::DetailOf(status)) {
    if (!detail->subject().empty()) error["subject"] = detail->subject();
    if (!detail->remedy().empty()) error["remedy"] = detail->remedy();
    if (detail->has_retry_after()) error["retry_after_seconds"] = detail->retry_after().seconds();
  }
  return error.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace devicetrust::gateway
