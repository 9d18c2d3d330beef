# What a change needs, in one place. `just` lists it.

_default:
    @just --list

# Run the service on an embedded PostgreSQL
run:
    cargo run

# All tests
test:
    cargo test

# What CI judges a change by
check:
    .ci/run

# Keyward beside its own limits, and its pieces by themselves, on a quiet machine: docs/performance.md
bench *arguments:
    cargo bench --bench service -- {{arguments}}
    cargo bench --bench pieces

# Format, and fix what clippy can
fix:
    cargo clippy --fix --allow-dirty --all-targets
    cargo fmt

# Rewrite .sqlx after a statement or a migration has changed
sqlx:
    scripts/sqlx-prepare
