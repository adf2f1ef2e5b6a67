using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Quire.AspNetCore;

/// <summary>Makes the memory when the application starts, so that a wrong option ends the start and not a request, and keeps the ledger on where that is asked for.</summary>
internal sealed class QuireService(QuireMemories memories, ILoggerFactory logs) : IHostedLifecycleService, IDisposable
{
    private IDisposable? _tracking;

    // Before any service starts: what a server rents at its start is on record too.
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        ILogger log = logs.CreateLogger(QuireLog.Category);
        IReadOnlyList<QuireMemory> all = memories.All();
        if (all.Any(static memory => memory.Options.Tracking))
        {
            try
            {
                _tracking = Holders.Track();
            }
            catch (NotSupportedException refused)
            {
                log.NoTracking(refused.Message);
            }
        }

        foreach (QuireMemory memory in all)
        {
            log.Started(memory.Allocator.Name, memory.Allocator.LimitBytes, memory.Options.Provider, Holders.IsTracking ? "on" : "off");
        }

        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // With the container, not with the host's stop: what ends in between is still on record.
    public void Dispose() => _tracking?.Dispose();
}
