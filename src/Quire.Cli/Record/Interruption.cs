using System.Runtime.InteropServices;

namespace Quire.Cli.Record;

/// <summary>Ctrl+C and the request to terminate, as a token: recording ends in order then. A second one ends the command at once.</summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    internal Interruption() =>
        _registrations = [PosixSignalRegistration.Create(PosixSignal.SIGINT, Arrived), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Arrived)];

    internal CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _source.Dispose();
    }

    private void Arrived(PosixSignalContext context)
    {
        context.Cancel = !_source.IsCancellationRequested;
        _source.Cancel();
    }
}
