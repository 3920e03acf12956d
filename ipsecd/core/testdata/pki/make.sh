#!/bin/bash
# Makes the certificates, keys and CRLs of this folder anew by OpenSSL 3, and verify.txt:
# what `openssl verify` says of each certificate. Run it in this folder.
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
FROM=20260101000000Z UNTIL=20360101000000Z
AT=1782907200 # 2026-07-01 12:00:00 UTC, the time of the tests

rm -f ./*.pem ./*.key ./*.crl verify.txt
key() { # name kind
	case $2 in
	rsa) openssl genrsa -out "$1.key" 2048 ;;
	ed25519) openssl genpkey -algorithm ed25519 -out "$1.key" ;;
	*) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -out "$1.key" ;;
	esac 2>/dev/null
}
# authority makes the files of an authority for `openssl ca`; digest default for Ed25519.
authority() { # name digest
	mkdir -p "$work/$1"
	: >"$work/$1/index"
	echo "unique_subject = no" >"$work/$1/index.attr"
	echo 1000 >"$work/$1/serial"
	echo 01 >"$work/$1/crlnumber"
	cat >"$work/$1/conf" <<-C
		[ca]
		default_ca = it
		[it]
		database = $work/$1/index
		serial = $work/$1/serial
		crlnumber = $work/$1/crlnumber
		new_certs_dir = $work/$1
		certificate = $1.pem
		private_key = $1.key
		default_md = $2
		policy = any
		copy_extensions = none
		crl_extensions = crl
		[any]
		countryName = optional
		organizationName = optional
		organizationalUnitName = optional
		commonName = optional
		emailAddress = optional
		[crl]
		authorityKeyIdentifier = keyid
		[top]
		basicConstraints = critical,CA:true
		keyUsage = critical,keyCertSign,cRLSign
		subjectKeyIdentifier = hash
		[below]
		basicConstraints = critical,CA:true,pathlen:0
		keyUsage = critical,keyCertSign,cRLSign
		subjectKeyIdentifier = hash
		authorityKeyIdentifier = keyid
	C
}
# issue signs the key of a name by an authority, with extensions in the file of that name.
issue() { # authority name kind subject from until section
	[ -f "$2.key" ] || key "$2" "$3"
	openssl req -new -utf8 -key "$2.key" -subj "$4" -out "$work/$2.csr" -config /dev/null
	local self=()
	[ "$1" = "$2" ] && self=(-selfsign)
	openssl ca -batch -notext -utf8 -config "$work/$1/conf" "${self[@]}" -in "$work/$2.csr" -out "$2.pem" -startdate "$5" -enddate "$6" -extfile "${8:-$work/$1/conf}" -extensions "$7" 2>/dev/null
}
leaf() { # authority name kind subject extensions [from until]
	printf '[leaf]\nbasicConstraints = CA:false\nauthorityKeyIdentifier = keyid\n%b\n' "$5" >"$work/$2.ext"
	issue "$1" "$2" "$3" "$4" "${6:-$FROM}" "${7:-$UNTIL}" leaf "$work/$2.ext"
}
crl() { # authority file from until
	openssl ca -config "$work/$1/conf" -gencrl -crl_lastupdate "$3" -crl_nextupdate "$4" -out "$2" 2>/dev/null
}

authority root sha256
issue root root rsa "/O=Example/CN=Root" $FROM $UNTIL top
authority middle sha384
issue root middle rsa "/O=Example/OU=Routers/CN=Middle" $FROM $UNTIL below "$work/root/conf"
authority ecroot sha384
issue ecroot ecroot P-384 "/O=Example/CN=EC Root" $FROM $UNTIL top
authority edroot default
issue edroot edroot ed25519 "/O=Example/CN=Ed Root" $FROM $UNTIL top

USE='keyUsage = critical,digitalSignature'
leaf middle rsa rsa "/O=Example/CN=rsa" "$USE\nsubjectAltName = DNS:rsa.example.com,IP:192.0.2.1,email:Admin@rsa.example.com\nextendedKeyUsage = clientAuth"
leaf ecroot p256 P-256 "/O=Example/CN=p256" "$USE\nsubjectAltName = DNS:p256.example.com"
leaf ecroot p384 P-384 "/O=Example/CN=p384" "$USE\nsubjectAltName = DNS:p384.example.com\nextendedKeyUsage = 1.3.6.1.5.5.7.3.17"
leaf ecroot p521 P-521 "/O=Example/CN=p521" "$USE\nsubjectAltName = DNS:p521.example.com\nextendedKeyUsage = 1.3.6.1.5.5.8.2.2"
leaf edroot ed25519 ed25519 "/C=DE/O=Example/CN=Zoë, of \\+ \"ed\"" "$USE"
leaf middle expired P-256 "/O=Example/CN=expired" "$USE" 20260101000000Z 20260601000000Z
leaf middle future P-256 "/O=Example/CN=future" "$USE" 20270101000000Z 20280101000000Z
leaf middle revoked P-256 "/O=Example/CN=revoked" "$USE"
authority p256 sha256 # who is no authority
leaf p256 stranger P-256 "/O=Example/CN=stranger" "$USE"

openssl ca -config "$work/middle/conf" -revoke revoked.pem 2>/dev/null
crl root root.crl 20260101000000Z 20360101000000Z
crl middle middle.crl 20260101000000Z 20360101000000Z
crl ecroot ecroot.crl 20260101000000Z 20360101000000Z
crl edroot old.crl 20260101000000Z 20260201000000Z # not in force any more

# What OpenSSL has to say, with the CRLs that are there; of the authorities' own ones too.
cat root.pem ecroot.pem edroot.pem >"$work/trusted"
cat root.crl middle.crl ecroot.crl >"$work/crls"
for name in rsa p256 p384 p521 ed25519 expired future revoked stranger; do
	crls=(-crl_check_all -CRLfile "$work/crls")
	[ $name = ed25519 ] && crls=(-crl_check_all -CRLfile "$work/crls" -CRLfile old.crl)
	if openssl verify -attime $AT -CAfile "$work/trusted" -untrusted middle.pem -untrusted p256.pem "${crls[@]}" $name.pem >"$work/out" 2>&1; then
		echo "$name: OK"
	else
		echo "$name: $(sed -n 's/^error \([0-9]*\) at \([0-9]*\) depth lookup: \(.*\)/\3 (\1 at \2)/p' "$work/out" | head -1)"
	fi
done >verify.txt
cat verify.txt
rm -f root.key middle.key ecroot.key edroot.key expired.key future.key revoked.key stranger.key ./*.csr
