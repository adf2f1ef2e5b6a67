using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Hosting;

namespace Quire.AspNetCore;

/// <summary>Ends the start where Kestrel would use another pool than the one asked for: otherwise nobody would notice.</summary>
internal sealed class KestrelPoolCheck(IMemoryPoolFactory<byte> used) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => used is KestrelPoolFactory
        ? Task.CompletedTask
        : throw new InvalidOperationException(
            $"Kestrel would take its memory from {used.GetType()}, which was registered after Quire's pool: call UseQuireMemoryPool after UseKestrel, and register no other {nameof(IMemoryPoolFactory<byte>)}.");

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
