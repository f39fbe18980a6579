#pragma once

#include "devicetrust/org/v1/event_hooks.grpc.pb.h"
#include "policy-engine/log/event_hooks.h"

namespace devicetrust::policy {

// Event hooks over gRPC: translates for EventHooks.
class EventHookService final : public org::v1::EventHookService::Service {
 public:
  explicit EventHookService(EventHooks& hooks) : hooks_(hooks) {}

  grpc::Status AddHook(grpc::ServerContext* context, const org::v1::AddHookRequest* request,
                       org::v1::AddHookResponse* response) override;
  grpc::Status ListHooks(grpc::ServerContext* context, const org::v1::ListHooksRequest* request,
                         org::v1::ListHooksResponse* response) override;
  grpc::Status SetHookEnabled(grpc::ServerContext* context,
                              const org::v1::SetHookEnabledRequest* request,
                              org::v1::SetHookEnabledResponse* response) override;
  grpc::Status RemoveHook(grpc::ServerContext* context, const org::v1::RemoveHookRequest* request,
                          org::v1::RemoveHookResponse* response) override;
  grpc::Status RotateHookKey(grpc::ServerContext* context,
                             const org::v1::RotateHookKeyRequest* request,
                             org::v1::RotateHookKeyResponse* response) override;
  grpc::Status TestHook(grpc::ServerContext* context, const org::v1::TestHookRequest* request,
                        org::v1::TestHookResponse* response) override;
  grpc::Status ListDeadLetters(grpc::ServerContext* context,
                               const org::v1::ListDeadLettersRequest* request,
                               org::v1::ListDeadLettersResponse* response) override;
  grpc::Status ResendDeadLetters(grpc::ServerContext* context,
                                 const org::v1::ResendDeadLettersRequest* request,
                                 org::v1::ResendDeadLettersResponse* response) override;

 private:
  EventHooks& hooks_;
};

}  // namespace devicetrust::policy
