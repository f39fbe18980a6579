#include "libs/throwaway/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace devicetrust::throwaway {

absl::StatusOr<std::uint16_t> FreePort(Random& random) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::array<std::uint8_t, 2> bytes{};
    DT_RETURN_IF_ERROR(random.Fill(bytes));
    const auto port = static_cast<std::uint16_t>(20'000 + (bytes[0] * 256 + bytes[1]) % 12'000);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool free =
        fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    if (fd >= 0) ::close(fd);
    if (free) return port;
  }
  return absl::ResourceExhaustedError("no free port from 20000 to 31999 on 127.0.0.1");
}

}  // namespace devicetrust::throwaway
