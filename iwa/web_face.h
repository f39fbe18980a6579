// GET /iwa/whoami: an administrator tries the IWA with `curl --negotiate` or a browser (IWA-1). It
// issues nothing.
#pragma once

#include <memory>

#include "iwa/config.h"
#include "iwa/ticket_acceptor.h"
#include "iwa/token_issuer.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/http/server.h"

namespace devicetrust::iwa {

// Answers on a thread of its own, since a directory is asked. Thread-safe.
class WebFace {
 public:
  // Serving once it returns. `tickets` and `issuer` outlive it. Errors as http::Server::Start().
  static absl::StatusOr<std::unique_ptr<WebFace>> Start(const Config& config,
                                                        TicketAcceptor& tickets,
                                                        TokenIssuer& issuer, const Clock& clock);
  ~WebFace();

  const http::Server& server() const;
  void Stop();

 private:
  struct State;
  explicit WebFace(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::iwa
