// The service providers of a running environment for real browsers: one HTTPS host where each
// app has a folder.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/snapshot.h"
#include "libs/base/status.h"
#include "libs/http/server.h"
#include "libs/pki/certificate.h"
#include "simulator/apps/relying_party.h"
#include "simulator/apps/service_provider.h"

namespace devicetrust::simulator {

// GET / lists the apps, with notes; GET /ID/ begins a sign-in, POST /ID/acs (of WS-Federation
// /ID/wsfed) ends it and shows what the app was told of the person. A response is taken only from
// the browser that asked for it, which may have asked for many at once.
class AppListener {
 public:
  // Listens at once, so that the address is known; answers 503 until SetApps(). `clock` and
  // `random` (thread-safe) outlive it. `identity` is for `host`.
  // Errors: those of http::Server::Start().
  static absl::StatusOr<std::unique_ptr<AppListener>> Start(const std::string& address,
                                                            const std::string& host,
                                                            pki::Identity identity,
                                                            const Clock& clock, Random& random);
  ~AppListener();

  std::string origin() const;  // https://apps.localhost:PORT

  // They outlive it. Once.
  void SetApps(std::vector<ServiceProvider*> apps, std::vector<RelyingParty*> parties = {});

  // What the list of apps says below them: a line of text each, and where it leads, if anywhere.
  struct Note {
    std::string text;
    std::string url;
  };
  void SetNotes(std::vector<Note> notes);

 private:
  AppListener(std::string host, Random& random) : host_(std::move(host)), random_(random) {}
  Task<http::Response> Answer(const http::Request& request);
  http::Response Begin(ServiceProvider& app, const http::Request& request);
  http::Response Finish(ServiceProvider& app, const http::Request& request);
  http::Response AnswerFor(RelyingParty& party, const http::Request& request);
  http::Response Begin(RelyingParty& party, const http::Request& request);
  http::Response Finish(RelyingParty& party, const http::Request& request);

  const std::string host_;
  Random& random_;
  std::atomic<bool> ready_{false};
  std::vector<ServiceProvider*> apps_;  // Before ready_.
  std::vector<RelyingParty*> parties_;  // Before ready_.
  Snapshot<std::vector<Note>> notes_;
  std::unique_ptr<http::Server> server_;  // Last: its threads use the rest.
};

}  // namespace devicetrust::simulator
