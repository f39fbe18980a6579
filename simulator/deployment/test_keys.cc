#include "simulator/deployment/test_keys.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "libs/base/files.h"
#include "libs/db/open.h"
#include "libs/pki/certificate.h"
#include "libs/pki/sealed_file.h"

namespace devicetrust::simulator {
namespace {

namespace fs = std::filesystem;

// A store with its write-ahead log, where no owner holds it; removed at the end.
class StoreCopy {
 public:
  StoreCopy(const std::string& store, const std::string& folder)
      : path_(folder + "/" + fs::path(store).filename().string()) {
    std::error_code ignored;  // What did not get there fails to open.
    for (const char* suffix : {"", "-wal"}) {
      fs::copy_file(store + suffix, path_ + suffix, fs::copy_options::overwrite_existing, ignored);
    }
  }
  ~StoreCopy() {
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) fs::remove(path_ + suffix, ignored);
  }
  StoreCopy(const StoreCopy&) = delete;
  StoreCopy& operator=(const StoreCopy&) = delete;

  absl::StatusOr<std::vector<db::Row>> Run(std::string_view sql) const {
    DT_ASSIGN_OR_RETURN(const auto store, db::OpenStore("sqlite:" + path_));
    DT_ASSIGN_OR_RETURN(const auto connection, store->Connect(db::Connection::Mode::kWriter));
    DT_ASSIGN_OR_RETURN(db::Transaction txn, connection->Begin());
    DT_ASSIGN_OR_RETURN(std::vector<db::Row> rows, txn.Run(sql));
    if (rows.empty()) return absl::NotFoundError(path_ + " has no key yet");
    return rows;
  }

 private:
  const std::string path_;
};

absl::Status WriteKey(const std::string& path, const pki::AeadKey& kek, const std::string& purpose,
                      const Bytes& sealed) {
  DT_ASSIGN_OR_RETURN(const Bytes pkcs8, pki::Open(kek, purpose, sealed));
  DT_ASSIGN_OR_RETURN(const pki::PrivateKey key, pki::PrivateKey::FromPkcs8(pkcs8));
  return WriteFileAtomically(path, key.Pem());
}

}  // namespace

// Tables and purposes are those of the stores' first migrations, which never change.
absl::Status WriteTestKeys(const TestKeysConfig& config) {
  ::mkdir(config.folder.c_str(), 0700);
  DT_ASSIGN_OR_RETURN(const pki::AeadKey kek, pki::LoadKeyEncryptionKey(config.kek_file));

  const StoreCopy ca(config.ca_store, config.folder);
  DT_ASSIGN_OR_RETURN(const std::vector<db::Row> authorities,
                      ca.Run("SELECT 'device-root', id, certificate, sealed_key FROM roots"
                             " UNION ALL SELECT 'device-ca', id, certificate, sealed_key"
                             " FROM issuers WHERE is_active = 1"));
  for (const db::Row& row : authorities) {
    const std::string base = config.folder + "/" + db::Text(row[0]);
    DT_RETURN_IF_ERROR(WriteKey(base + ".key", kek,
                                fmt::format("ca.signing_key/{}/{}", config.org, db::Text(row[1])),
                                db::Blob(row[3])));
    DT_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                        pki::Certificate::FromDer(db::Blob(row[2])));
    DT_RETURN_IF_ERROR(WriteFileAtomically(base + ".pem", certificate.Pem()));
  }

  const StoreCopy iwa(config.iwa_store, config.folder);
  DT_ASSIGN_OR_RETURN(const std::vector<db::Row> iwa_keys,
                      iwa.Run("SELECT kid, sealed_key FROM signing_keys ORDER BY created_at"));
  const std::string& kid = db::Text(iwa_keys.back()[0]);
  const std::string base = config.folder + "/" + config.iwa_name;
  DT_RETURN_IF_ERROR(WriteKey(
      base + ".key", kek, fmt::format("iwa.signing_key/{}/{}/{}", config.org, config.iwa_name, kid),
      db::Blob(iwa_keys.back()[1])));
  return WriteFileAtomically(base + ".kid", kid + "\n");
}

}  // namespace devicetrust::simulator
