using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Quire.AspNetCore.Tests;

/// <summary>A log that a test can read.</summary>
internal sealed class RecordedLog : ILoggerProvider
{
    internal ConcurrentQueue<(string Category, LogLevel Level, EventId Id, string Text)> Messages { get; } = [];

    /// <summary>Thrown at each message that is written while it is set; the message is kept.</summary>
    internal Exception? Fault { get; set; }

    internal IEnumerable<string> Of(int id) => Messages.Where(message => message.Category == QuireLog.Category && message.Id.Id == id).Select(static message => message.Text);

    public ILogger CreateLogger(string categoryName) => new Writer(this, categoryName);

    public void Dispose()
    {
    }

    private sealed class Writer(RecordedLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            // Before the message is there: who waits for it may then take the fault away.
            Exception? fault = log.Fault;
            log.Messages.Enqueue((category, logLevel, eventId, formatter(state, exception) + (exception is null ? "" : Environment.NewLine + exception)));
            if (fault is not null)
            {
                throw fault;
            }
        }
    }
}
