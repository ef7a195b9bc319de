# Shared by the scripts beside it. SOURCE_DATE_EPOCH is fixed: what is in a layer depends on its contents alone.
export SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0
export UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
environment=/opt/sklearn-operator

# Certificate authorities of the building machine's own network, for downloads alone: --secret id=authorities,src=FILE
if [ -s /run/secrets/authorities ]; then
    export SSL_CERT_FILE=/run/secrets/authorities PIP_CERT=/run/secrets/authorities
fi

compile() { # folder, options: bytecode that is trusted as it is: it depends on no time, and is never written anew
    python3.13 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$@"
}

settle() { # folder: one time for everything in it
    find "$1" -xdev -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}
