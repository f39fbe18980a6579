// EC keys of the whole process by OpenSSL's way from before providers. Inside libs/pki but for
// UseQuickEcKeys().
#pragma once

namespace devicetrust::pki {

// From now on OpenSSL decodes EC keys of certificates, and signs and verifies with EC keys, by
// the functions that its provider calls too, without the provider around them: a handshake with
// certificates on both sides costs 50 us less. For a program whose work is handshakes.
//
// It holds for the process, since OpenSSL asks one table for a key's methods: keys that live in
// another provider than OpenSSL's own (of a TPM, of PKCS#11) can no longer be used. Ours do not;
// see external_key.h. Who makes a key on a named curve says the name that OpenSSL gives it
// ("prime256v1"); "P-256" is not known then. Thread-safe; once is enough. False: OpenSSL refused,
// all stays as it was.
bool UseQuickEcKeys();

}  // namespace devicetrust::pki
