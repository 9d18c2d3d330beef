//! What each piece of cryptography costs by itself: access tokens, refresh tokens, password hashes.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run ends")]

mod tokens;

use std::hint::black_box;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use keyward::config::{Config, SigningAlgorithm};
use keyward::crypto::install_provider;
use secrecy::ExposeSecret;

use tokens::{ENTROPY, Tokens};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn access_tokens(criterion: &mut Criterion) {
    install_provider();
    let mut group = criterion.benchmark_group("access token");
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
        let (tokens, name) = (Tokens::new(algorithm).unwrap(), algorithm.as_str());
        group.bench_function(format!("sign, {name}"), |bencher| {
            bencher.iter(|| tokens.sign().unwrap());
        });
        group.bench_function(format!("verify for the first time, {name}"), |bencher| {
            bencher.iter_batched_ref(
                || tokens.sign().unwrap(),
                |token| tokens.verify(token).unwrap(),
                BatchSize::SmallInput,
            );
        });
        let token = tokens.sign().unwrap();
        group.bench_function(format!("verify again, {name}"), |bencher| {
            bencher.iter(|| tokens.verify(black_box(&token)).unwrap());
        });
    }
    group.finish();
}

fn refresh_tokens(criterion: &mut Criterion) {
    let tokens = Tokens::new(SigningAlgorithm::Es256).unwrap();
    let token = tokens.first();
    let text = tokens.write(&token).unwrap();
    let mut group = criterion.benchmark_group("refresh token");
    group.bench_function("read, with its MAC", |bencher| {
        bencher.iter(|| tokens.read(black_box(text.expose_secret())).unwrap());
    });
    group.bench_function("derive its successor", |bencher| {
        bencher.iter(|| tokens.derive(black_box(&token)).unwrap());
    });
    group.bench_function("write, with its MAC", |bencher| {
        bencher.iter(|| tokens.write(black_box(&token)).unwrap());
    });
    group.bench_function("digest for the database", |bencher| {
        bencher.iter(|| black_box(&token).digest());
    });
    group.finish();
}

fn passwords(criterion: &mut Criterion) {
    let costs = Config::read_without_master_key([])
        .unwrap()
        .passwords
        .argon2;
    let params = Params::new(
        costs.memory_kib,
        costs.iterations,
        costs.parallelism,
        Some(32),
    );
    let params = params.unwrap();
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (password, salt) = (b"tall cliff moth ribbon", ENTROPY.bytes::<16>());
    let mut hash = [0; 32];
    let mut group = criterion.benchmark_group("Argon2id");
    group.sample_size(20);
    group.bench_function("in memory that is kept, as Keyward does", |bencher| {
        bencher.iter(|| {
            let password = black_box(password);
            argon2
                .hash_password_into_with_memory(password, &salt, &mut hash, &mut memory)
                .unwrap();
        });
    });
    group.bench_function("in new memory, as the crate does by itself", |bencher| {
        bencher.iter(|| {
            let password = black_box(password);
            argon2
                .hash_password_into(password, &salt, &mut hash)
                .unwrap();
        });
    });
    group.finish();
}

criterion_group!(pieces, access_tokens, refresh_tokens, passwords);
criterion_main!(pieces);
