using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Quire.AspNetCore;

/// <summary>An application's page memory: one allocator, made of one set of options, and the pools on it.</summary>
/// <remarks>
/// A singleton of the container, which disposes it after all that was made later and so may use it. Pages that are still held then are logged; the allocator goes when
/// they have come back, as requests that outlive the server do. Invariant: all pools have this allocator, and none owns it.
/// </remarks>
internal sealed class QuireMemory : IDisposable
{
    /// <summary>The options' name, and the container's key, of what <c>AddQuire</c> makes.</summary>
    internal const string Application = "";

    /// <summary>The same for <c>UseQuireMemoryPool</c>.</summary>
    internal const string Kestrel = "kestrel";

    /// <summary>How long a disposal waits for pages that are on their way back.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);

    private readonly ILogger _log;
    private readonly LimitLog _limitLog;
    private readonly ConcurrentDictionary<string, QuireMemoryPool> _pools = [];

    internal QuireMemory(QuireOptions options, ILogger log)
    {
        _log = log;
        Options = options;
        Allocator = new PageAllocator(options.ToAllocatorOptions(LogHeld));
        _limitLog = new LimitLog(Allocator, options.LimitLogInterval, log);
    }

    internal QuireOptions Options { get; }

    internal PageAllocator Allocator { get; }

    /// <summary>The pool of a name, made when it is first asked for.</summary>
    /// <param name="name">The name.</param>
    /// <param name="plain">Whether its memory is that of its arrays, see <see cref="QuireMemoryPoolOptions.PlainArrays"/>.</param>
    internal QuireMemoryPool Pool(string name, bool plain = false) =>
        _pools.GetOrAdd(name, _ => new QuireMemoryPool(new QuireMemoryPoolOptions { Name = name, Allocator = Allocator, PlainArrays = plain }));

    public void Dispose()
    {
        _limitLog.Dispose();
        foreach (QuireMemoryPool pool in _pools.Values)
        {
            pool.Dispose();
        }

        Allocator.Dispose();
    }

    private void LogHeld(PagesStillHeldException held)
    {
        if (!SpinWait.SpinUntil(() => Allocator.DisposeWhenFree(), s_patience))
        {
            string holders = held.Holders.Count != 0 ? new HolderTable(held.Holders).ToString().TrimEnd()
                : "Nobody is on record: keep the ledger on (Quire:Tracking, or Holders.Track) to have the holders named.";
            _log.HeldAtShutdown(Allocator.Name, held.HeldBytes, holders);
        }
    }
}

/// <summary>The key under which the container has one <see cref="QuireMemory"/>; registered once for each.</summary>
/// <param name="Key">The key.</param>
internal sealed record QuireMemoryKey(string Key);
